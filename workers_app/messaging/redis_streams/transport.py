"""The transport: one connection's channels, and the two ways to turn their wheels."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import redis
from kombu.exceptions import InconsistencyError
from kombu.transport import virtual
from kombu.utils.compat import register_after_fork
from kombu.utils.eventio import ERR, READ, poll
from redis import exceptions

from workers_app.messaging.redis_streams.address import Address
from workers_app.messaging.redis_streams.channel import Channel
from workers_app.messaging.redis_streams.keeper import Keeper
from workers_app.messaging.redis_streams.link import Link
from workers_app.messaging.redis_streams.names import Names
from workers_app.messaging.redis_streams.publishing import Queues

SLICE_SECONDS = 0.005
"""Within an event loop messages are delivered for so long at a stretch; then the loop may do other things."""

LAST_SECONDS = 1.0
"""When a connection was lost, the server is given so long to take back what was held; else others claim it."""

TICK_SECONDS = 1.0
"""`drain_events` looks at least so often whether the server still answers."""

Handler = Callable[[], None]


class Transport(virtual.Transport):
    """Redis Streams for queues, PUB/SUB for fanout."""

    Channel = Channel
    default_port = 6379
    driver_type = "redis"
    driver_name = "redis-streams"

    implements = virtual.Transport.implements.extend(
        asynchronous=True, batch_publish=True, exchange_type=frozenset(["direct", "topic", "fanout"])
    )
    connection_errors = (
        *virtual.Transport.connection_errors,
        OSError,
        InconsistencyError,
        exceptions.ConnectionError,
        exceptions.TimeoutError,
    )
    channel_errors = (
        *virtual.Transport.channel_errors,
        exceptions.DataError,
        exceptions.InvalidResponse,
        exceptions.ResponseError,
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        if "://" not in (client.hostname or ""):
            # kombu keeps this of the first URL of a failover list, though it has parsed the next one as a whole.
            client.uri_prefix = None
        options = client.transport_options
        self.address = Address(client)
        self.names = Names(options, self.address.database)
        self.queues = Queues()
        self.claim_after = float(options.get("claim_after", 30.0))
        # Never 0, which would be for ever; and short enough to claim in time and not to be taken for a dead server.
        self.block = max(min(float(options.get("block", 5.0)), self.claim_after / 3, self.address.patience / 2), 0.01)
        self.batch = int(options.get("batch", 200))
        self.ack_delay = float(options.get("ack_delay", 0.01))
        self.link = Link(self.address.connect)
        self.keeper = Keeper(self)
        self.thread = threading.get_ident()
        self._handlers: dict[int, Handler] = {}
        self._poller: Any = None
        self._hub: Any = None
        self._bell: tuple[socket.socket, socket.socket] | None = None
        self._rung = False
        self._turn = 0
        if register_after_fork is not None:
            register_after_fork(self, Transport.after_fork)

    def driver_version(self) -> str:
        """The version of redis-py."""
        return redis.__version__

    @cached_property
    def redis(self) -> redis.Redis:
        """A plain client of the same server."""
        return self.address.client()

    def establish_connection(self) -> "Transport":
        """Raises when the server cannot be reached or does not serve."""
        # A write that changes nothing: a server that is loading, or only a replica, must not pass for ours.
        self.link.one(("XDEL", self.names.front(""), "0-1"))
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        """Close all channels."""
        if self._hub is not None:
            self._hub.on_tick.discard(self._pump)
        super().close_connection(connection)
        self.keeper.close()
        self.link.close()
        self._silence()

    def _collect(self, connection: Any) -> None:
        """kombu's way to let go of a connection that was lost: the last words are said quickly or not at all."""
        self.link.hurry(LAST_SECONDS)
        for channel in self.channels:
            channel.hang_up()
        self.close_connection(connection)

    def refresh_seconds(self) -> float:
        """How often what is held must be kept fresh."""
        # Copied in one step, as the connection's own thread declares queues meanwhile.
        expiries = list(self.queues.expires.values())
        return min([self.claim_after, *(expires / 1000 for expires in expiries)]) / 3

    # Watching sockets

    def watch(self, fd: int, handler: Handler) -> None:
        """Call `handler` when there is something to read."""
        if self._bell is None:
            self._bell = socket.socketpair()
            self._rung = False
            self.watch(self._bell[0].fileno(), self._hear)
        self._handlers[fd] = handler
        if self._hub is not None:
            self._hub.add_reader(fd, self.on_readable, fd)
        if self._poller is not None:
            self._poller.register(fd, READ | ERR)

    def unwatch(self, fd: int, handler: Handler) -> None:
        """The socket will be closed, or has been: then its number may belong to another one."""
        if self._handlers.get(fd) == handler:
            del self._handlers[fd]
            if self._hub is not None:
                self._hub.remove_reader(fd)
            if self._poller is not None:
                with suppress(OSError, KeyError, ValueError):
                    self._poller.unregister(fd)

    def wake(self) -> None:
        """Let whoever waits for sockets look again; any thread may call this."""
        bell = self._bell
        if bell is not None and not self._rung:
            self._rung = True
            with suppress(OSError):  # It may be closed by now.
                bell[1].send(b"!")

    def _hear(self) -> None:
        if self._bell is not None:
            self._bell[0].recv(64)
        # Who rings just now has done before what will be looked at after this.
        self._rung = False

    def _silence(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            self.unwatch(bell[0].fileno(), self._hear)
            for end in bell:
                end.close()

    # Without an event loop

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message, first of those that have come already; raises `socket.timeout` when none comes."""
        self.thread = threading.get_ident()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._deliver():
            left = TICK_SECONDS if deadline is None else max(deadline - time.monotonic(), 0.0)
            self._pump()
            came = self._poll(min(left, TICK_SECONDS))
            if not came and not left:
                raise TimeoutError

    def _poll(self, seconds: float) -> bool:
        """Wait for the first sockets to be readable and say whether any was."""
        if self._poller is None:
            self._poller = poll()
            for fd in self._handlers:
                self._poller.register(fd, READ | ERR)
        if not self._handlers:
            time.sleep(seconds)
        events = self._poller.poll(seconds) if self._handlers else []
        for fd, _ in events or ():
            if handler := self._handlers.get(fd):
                handler()
        return bool(events)

    # In an event loop

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let kombu's hub turn the wheels."""
        self.thread = threading.get_ident()
        self._hub = loop
        loop.on_tick.add(self._pump)
        for fd in self._handlers:
            loop.add_reader(fd, self.on_readable, fd)

    def on_readable(self, fd: int) -> None:
        """Take what has come and deliver as much of it as fits into one stretch."""
        if handler := self._handlers.get(fd):
            handler()
        ends = time.monotonic() + SLICE_SECONDS
        while self._deliver():
            if time.monotonic() > ends:
                self.wake()
                return

    def _pump(self) -> None:
        for channel in self.channels:
            channel.pump()

    def _deliver(self) -> bool:
        """Deliver one message; the channels take turns."""
        channels = self.channels
        for _ in range(len(channels)):
            self._turn += 1
            if channels[self._turn % len(channels)].deliver():
                return True
        return False

    def after_fork(self) -> None:
        """In a child: neither talk nor listen on the parent's sockets, and hold nothing."""
        self._hub = self._poller = None
        self._handlers.clear()
        self._silence()
        self.link.after_fork()
        self.keeper = Keeper(self)
        for channel in self.channels:
            channel.after_fork()
