"""Fanout: a channel's subscriptions to PUB/SUB topics, on a connection of its own."""

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from workers_app.messaging.redis_streams.ledger import Entry
from workers_app.messaging.redis_streams.link import is_readable, receive, refused

if TYPE_CHECKING:
    from workers_app.messaging.redis_streams.channel import Channel


class Subscription:
    """Knows which queues listen to which topic, and puts what is published into the channel's buffer."""

    def __init__(self, channel: "Channel") -> None:
        self._channel = channel
        self._connection: Any = None
        self._fd = -1
        self._queues: dict[str, list[str]] = {}
        self._heard = 0.0
        self._asked = 0.0
        self._patience = channel.connection.address.patience

    def add(self, queue: str, topic: str) -> None:
        """Listen for `queue`; when this returns, the server has taken note."""
        self._queues.setdefault(topic, []).append(queue)
        if len(self._queues[topic]) == 1:
            self._say("PSUBSCRIBE", topic)

    def remove(self, queue: str) -> None:
        """Listen for `queue` no longer."""
        for topic, queues in list(self._queues.items()):
            if queue in queues:
                queues.remove(queue)
            if not queues:
                del self._queues[topic]
                if self._queues:
                    self._say("PUNSUBSCRIBE", topic)
                else:
                    self.close()

    def pump(self) -> None:
        """Ask a server that was silent for long whether it is still there; raises when it does not answer."""
        if self._connection is None:
            return
        now = time.monotonic()
        if self._asked and now > self._asked + self._patience and not is_readable(self._fd):
            raise RedisConnectionError("The server has not answered in time.")
        if not self._asked and now > self._heard + self._patience:
            self._asked = now
            self._connection.send_command("PING", check_health=False)

    def receive(self) -> None:
        """The socket is readable: take one reply, and what else has come along with it."""
        self._take()
        while self._connection is not None and self._connection.can_read():
            self._take()

    def close(self) -> None:
        """Hang up, and with that end all subscriptions."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._channel.connection.unwatch(self._fd, self.receive)
            connection.disconnect()

    def _say(self, command: str, topic: str) -> None:
        if self._connection is None:
            self._connection = self._channel.connection.address.connect()
            self._fd = self._connection._sock.fileno()
            self._channel.connection.watch(self._fd, self.receive)
        self._connection.send_command(command, topic, check_health=False)
        while self._take() != command.lower().encode():
            pass

    def _take(self) -> bytes:
        """Receive one reply and return its kind."""
        try:
            reply = receive(self._connection)
        except BaseException:
            self.close()
            raise
        if isinstance(reply, ResponseError):
            raise refused(reply)
        self._heard, self._asked = time.monotonic(), 0.0
        if reply[0] == b"pmessage":
            _, topic, _, payload = reply
            for queue in self._queues.get(topic.decode(), ()):
                self._channel.arrived([Entry(queue, None, b"", payload, False)], False)
        return bytes(reply[0])
