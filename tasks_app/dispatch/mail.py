"""The dispatcher's side of the broker: waits for messages, sends letters, comes back after an outage."""

import logging
import socket
import time
from collections.abc import Iterable
from uuid import uuid4

from kombu import Connection, Consumer, Producer, Queue
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.message import Message as Delivery

from tasks_app.dispatch.record import Letter
from workers_app.messaging import broker
from workers_app.messaging.protocol import ToDispatcher

logger = logging.getLogger(__name__)

BATCH = 500
"""At most so many messages are taken at once."""


class Mail:
    """One connection; `wait`, then commit, then `confirm`. What was not confirmed comes again."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._consumer: Consumer
        self._producer: Producer
        self._deliveries: list[Delivery] = []
        self._failures = 0

    def wait(self, seconds: float) -> list[ToDispatcher]:
        """Block until something arrives, or for `seconds`; return the messages that arrived."""
        try:
            connection = self._connected()
            self._drain(connection, seconds)
        except self._errors as error:
            self._lost(error)
            time.sleep(min(seconds, 0.1 * 2 ** min(self._failures, 4)))
        return [message for delivery in self._deliveries if (message := self._read(delivery)) is not None]

    def confirm(self) -> None:
        """What `wait` returned is committed: the broker may forget it."""
        deliveries, self._deliveries = self._deliveries, []
        try:
            for delivery in deliveries:
                delivery.ack()
        except self._errors as error:
            self._lost(error)

    def send(self, letters: Iterable[Letter]) -> None:
        """Put letters on their queues. Where the broker is away they are dropped: heartbeats will settle it."""
        try:
            if letters and self._connected():
                with self._producer.batch():
                    for queue, message in letters:
                        broker.publish(self._producer, message, queue)
        except self._errors as error:
            self._lost(error)

    def forget(self, queues: Iterable[str]) -> None:
        """Delete queues of workers that are gone."""
        try:
            for queue in queues:
                self._connected().default_channel.queue_delete(queue)
        except self._errors as error:
            self._lost(error)

    def close(self) -> None:
        """Give back what was not confirmed, and hang up."""
        connection, self._connection, self._deliveries = self._connection, None, []
        if connection:
            try:
                connection.release()
            except self._errors as error:
                logger.debug("Closing the broker connection: %s", error)

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        connection = self._connection or broker.connect()
        return (*connection.connection_errors, *connection.channel_errors, OSError)

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = broker.connect()
            connection.connect()
            channel = connection.default_channel
            wake_up = Queue(f"scheduler.hints.{uuid4()}", exchange=broker.hints, exclusive=True, auto_delete=True)
            self._consumer = Consumer(channel, accept=["sealed"], on_message=self._deliveries_append)
            self._consumer.add_queue(broker.inbox)
            self._consumer.add_queue(wake_up)
            self._consumer.qos(prefetch_count=BATCH)
            self._consumer.consume()
            self._producer = Producer(connection.channel())
            self._connection = connection
            self._failures = 0
            logger.info("Connected to the broker.")
        return self._connection

    def _deliveries_append(self, delivery: Delivery) -> None:
        self._deliveries.append(delivery)

    def _drain(self, connection: Connection, seconds: float) -> None:
        """Wait for the first message, then take what else is there already."""
        wait = max(seconds, 0.001)
        try:
            while len(self._deliveries) < BATCH:
                connection.drain_events(timeout=wait)
                wait = 0.001
        except TimeoutError:
            return
        except socket.timeout:  # noqa: UP041 - kombu's own alias on some transports
            return

    def _read(self, delivery: Delivery) -> ToDispatcher | None:
        try:
            return broker.read(delivery, ToDispatcher)  # type: ignore[arg-type]
        except (DecodeError, ContentDisallowed) as error:
            logger.warning("Dropped a message that is not ours: %s", error)
            return None

    def _lost(self, error: BaseException) -> None:
        self._failures += 1
        logger.warning("The broker is away: %s", error)
        self.close()
