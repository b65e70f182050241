"""A consumer that keeps what it was given."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.message import Message


def plain(queue: str | Queue) -> Queue:
    """A queue that is reached by its name alone."""
    return queue if isinstance(queue, Queue) else Queue(queue, Exchange(""), routing_key=queue)


def publish(connection: Connection, queue: str, *bodies: Any, **options: Any) -> None:
    """Publish each body on its own."""
    producer = Producer(connection.default_channel)
    for body in bodies:
        producer.publish(body, routing_key=queue, **options)


class Taker:
    """Consumes from the start; `messages` are in the order of their delivery."""

    def __init__(
        self, connection: Connection, queues: Sequence[str | Queue], prefetch: int = 0, no_ack: bool = False
    ) -> None:
        self.connection = connection
        self.messages: list[Message] = []
        self.channel = connection.channel()
        self.channel.basic_qos(0, prefetch)
        self.consumer = Consumer(
            self.channel, [plain(queue) for queue in queues], no_ack=no_ack, on_message=self.messages.append
        )
        self.consumer.consume()

    @property
    def bodies(self) -> list[Any]:
        return [message.payload for message in self.messages]

    def drain(self, seconds: float = 0.3) -> "Taker":
        """Take until nothing has come for so long."""
        try:
            while True:
                self.connection.drain_events(timeout=seconds)
        except TimeoutError:
            return self

    def until(self, count: int, seconds: float = 15.0) -> "Taker":
        """Take until there are so many."""

        deadline = time.monotonic() + seconds
        while len(self.messages) < count:
            if time.monotonic() > deadline:
                pytest.fail(f"{len(self.messages)} messages, not {count}")
            with suppress(TimeoutError):
                self.connection.drain_events(timeout=0.2)
        return self

    def ack(self) -> "Taker":
        for message in self.messages:
            if not message.acknowledged:
                message.ack()
        return self

    def close(self) -> None:
        if self.channel.connection is not None:
            self.channel.close()
