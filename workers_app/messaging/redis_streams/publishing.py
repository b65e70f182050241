"""The half of a channel that declares, routes and publishes."""

import time
from typing import Any

from kombu.exceptions import BatchPublishError, ChannelError
from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments
from kombu.transport.virtual.base import queue_declare_ok_t
from kombu.utils.uuid import uuid

from workers_app.messaging.redis_streams import scripts
from workers_app.messaging.redis_streams.envelope import pack
from workers_app.messaging.redis_streams.scripts import FIELD, Command

SEPARATOR = "\x06\x16"

BINDING_SECONDS = 3600.0
"""A binding of a queue that expires outlives its last refresh by at least so long."""


class PublishingChannel(virtual.Channel):
    """Exchanges, bindings and queues, all in the server but what kombu keeps for the connection."""

    supports_fanout = True
    supports_batch_publish = True
    from_transport_options = ("deadletter_queue",)

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.link = connection.link
        self.names = connection.names
        self.queues = connection.queues

    # Publishing

    def basic_publish(self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any) -> None:
        """Publish in one round trip; a named exchange that is not fanout needs one more to look up its bindings."""
        if commands := self.commands(message, exchange, routing_key):
            self.link.call(*commands)

    def commands(
        self, message: dict[str, Any], exchange: str, routing_key: str, tables: dict[str, Any] | None = None
    ) -> list[Command]:
        """What publishes `message`; `tables` are bindings looked up before."""
        payload = pack(message, exchange, routing_key)
        if exchange and self.typeof(exchange).type == "fanout":
            return [("PUBLISH", self.names.topic(exchange, routing_key), payload)]
        queues = self._destinations(exchange, routing_key, tables) if exchange else [routing_key]
        priority = self._get_message_priority(message)
        commands: list[Command] = []
        for queue in queues:
            commands.append(("XADD", self.names.stream(queue, priority), "*", FIELD, payload))
            commands += self.renewals(queue)
        return commands

    def create_publish_batch(self, max_size: int) -> "PublishBatch":
        """What `kombu.Producer.batch()` asks for."""
        return PublishBatch(self, max_size)

    def renewals(self, queue: str) -> list[Command]:
        """Postpone the end of a queue that expires when unused."""
        expires = self.queues.expires.get(queue)
        return [("PEXPIRE", stream, expires) for stream in self.names.streams(queue)] if expires else []

    def _destinations(self, exchange: str, routing_key: str, tables: dict[str, Any] | None) -> list[str]:
        table = tables.get(exchange) if tables is not None else None
        if table is None:
            table = self.get_table(exchange)
            if tables is not None:
                tables[exchange] = table
        found = self.typeof(exchange).lookup(table, exchange, routing_key, self.deadletter_queue)
        return sorted(found) or ([self.deadletter_queue] if self.deadletter_queue else [])

    # Bindings

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """The bindings of an exchange as (routing key, pattern, queue)."""
        members = self.link.one(("ZRANGEBYSCORE", self.names.bindings(exchange), time.time(), "+inf"))
        return [tuple(member.decode().split(SEPARATOR)) for member in members]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        if self.typeof(exchange).type == "fanout":
            self.queues.fanout[queue] = (exchange, routing_key.replace("#", "*"))
            return
        table = self.names.bindings(exchange)
        bind = self._bind_command(exchange, routing_key, pattern, queue)
        self.link.call(("ZREMRANGEBYSCORE", table, "-inf", f"({time.time()}"), bind)

    def queue_unbind(
        self, queue: str, exchange: str = "", routing_key: str = "", arguments: Any = None, **kwargs: Any
    ) -> None:
        """Remove one binding."""
        self.state.binding_delete(queue, exchange, routing_key)
        if self.typeof(exchange).type == "fanout":
            self.queues.fanout.pop(queue, None)
            return
        key, pattern, _ = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
        self.link.one(("ZREM", self.names.bindings(exchange), _member(key, pattern, queue)))

    def bind_commands(self, queue: str) -> list[Command]:
        """Bind the queue again wherever this connection has bound it: the server may have lost it."""
        commands = []
        # Copied in one step: the keeper's thread looks at what the connection's own thread changes.
        for known in list(self.state.queue_index.get(queue, ())):
            exchange, kind = known.exchange, self.typeof(known.exchange)
            if kind.type != "fanout":
                arguments = self.state.bindings.get(known)
                key, pattern, _ = kind.prepare_bind(queue, exchange, known.routing_key, arguments)
                commands.append(self._bind_command(exchange, key, pattern, queue))
        return commands

    def _bind_command(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> Command:
        expires = self.queues.expires.get(queue)
        ends = time.time() + max(2 * expires / 1000, BINDING_SECONDS) if expires else "+inf"
        return ("ZADD", self.names.bindings(exchange), ends, _member(routing_key, pattern, queue))

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:
        """Delete an exchange and its bindings; with `if_unused` only if there are none. Queues remain."""
        if not (if_unused and self.get_table(exchange)):
            self.link.one(("DEL", self.names.bindings(exchange)))
            self.state.exchanges.pop(exchange, None)

    # Queues

    def queue_declare(self, queue: str | None = None, passive: bool = False, **kwargs: Any) -> Any:
        """Nothing is made in the server until a message or a consumer comes; `passive` fails where there is nothing."""
        queue = queue or f"amq.gen-{uuid()}"
        streams = self.names.streams(queue)
        size, exists = self.link.call(scripts.SIZE(streams), ("EXISTS", *streams))
        if passive and not exists and queue not in self.queues.declared:
            raise ChannelError(f"NOT_FOUND - no queue {queue!r}", (50, 10), "Channel.queue_declare", "404")
        if not passive:
            self._new_queue(queue, **kwargs)
        return queue_declare_ok_t(queue, size, 0)

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self.queues.declare(queue, bool(kwargs.get("auto_delete")), kwargs.get("arguments") or {})

    def prepare_queue_arguments(self, arguments: dict[str, Any], **kwargs: Any) -> Any:
        """`expires` and its like as RabbitMQ calls them."""
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> int | None:
        """Delete a queue and what waits in it, and return how much that was; None is: it was in use or not empty."""
        size = self.link.one(scripts.DELETE(self.names.streams(queue), int(if_unused), int(if_empty)))
        if size < 0:
            return None
        self.forget(queue)
        return int(size)

    def forget(self, queue: str) -> None:
        """The queue is gone: so are its bindings."""
        unbind = [("ZREM", command[1], command[3]) for command in self.bind_commands(queue)]
        if unbind:
            self.link.call(*unbind)
        self.state.queue_bindings_delete(queue)
        self.queues.forget(queue)

    def _size(self, queue: str) -> int:
        return int(self.link.one(scripts.SIZE(self.names.streams(queue))))

    def _purge(self, queue: str) -> int:
        return int(self.link.one(scripts.PURGE(self.names.streams(queue))))


class Queues:
    """What a connection knows of the queues it has declared."""

    def __init__(self) -> None:
        self.declared: set[str] = set()
        self.auto_delete: set[str] = set()
        self.expires: dict[str, int] = {}
        self.fanout: dict[str, tuple[str, str]] = {}

    def declare(self, queue: str, auto_delete: bool, arguments: dict[str, Any]) -> None:
        """Take over what the newest declaration says."""
        self.forget(queue)
        self.declared.add(queue)
        if auto_delete:
            self.auto_delete.add(queue)
        if arguments.get("x-expires"):
            self.expires[queue] = int(arguments["x-expires"])

    def forget(self, queue: str) -> None:
        """The queue is deleted or declared anew."""
        self.declared.discard(queue)
        self.auto_delete.discard(queue)
        self.expires.pop(queue, None)


class PublishBatch:
    """Collects commands for one round trip; the bindings of an exchange are looked up once."""

    def __init__(self, channel: PublishingChannel, max_size: int) -> None:
        self.channel = channel
        self._max_size = max_size
        self._commands: list[Command] = []
        self._tables: dict[str, Any] = {}

    def publish(self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any) -> None:
        """Collect one message."""
        self._commands += self.channel.commands(message, exchange, routing_key, self._tables)
        if len(self._commands) >= self._max_size:
            self.flush()

    def flush(self) -> None:
        """Send what was collected. After an error some of it may have arrived."""
        commands, self._commands = self._commands, []
        if commands:
            try:
                self.channel.link.doubt()
                self.channel.link.call(*commands)
            except Exception as error:
                raise BatchPublishError("The batch failed; some of it may have been delivered") from error

    def discard(self) -> None:
        """Forget what was collected and not sent."""
        self._commands = []

    def close(self) -> None:
        """Nothing is held."""


def _member(routing_key: str, pattern: str | None, queue: str) -> str:
    return SEPARATOR.join((routing_key or "", pattern or "", queue))
