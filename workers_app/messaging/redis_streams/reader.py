"""Reads a channel's streams, one command at a time, on a connection of its own.

The turn: *read* as much as there is room for, confirming in the same round trip what was acknowledged before; when
that found nothing, *block* until the server has one message, then read again. The reply is never waited for here:
the transport watches the socket.
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from workers_app.messaging.redis_streams import scripts
from workers_app.messaging.redis_streams.ledger import Entry, confirmations
from workers_app.messaging.redis_streams.link import is_readable, receive, refused
from workers_app.messaging.redis_streams.scripts import GROUP, Command

if TYPE_CHECKING:
    from workers_app.messaging.redis_streams.channel import Channel


class Plan(NamedTuple):
    """What to read: streams in their order, the queue of each, and `n` or `a` for each: no ack, or acknowledged."""

    streams: list[str]
    queues: list[str]
    flags: str


class Reader:
    """At most one command is on its way; `receive` takes its replies."""

    def __init__(self, channel: "Channel") -> None:
        self._channel = channel
        self._connection: Any = None
        self._fd = -1
        self._client_id = 0
        self._expected = 0
        self._confirming: list[Entry] = []
        self._plan: Plan | None = None
        self._blocking = False
        self._drained = False
        self._overdue = 0.0
        self._claim_at = 0.0
        self._rotation = 0

    def pump(self) -> None:
        """Send the next command, unless one is on its way or there is nothing to do; raises when a reply is overdue."""
        now = time.monotonic()
        if self._expected:
            if now > self._overdue and not is_readable(self._fd):
                raise RedisConnectionError("The server has not answered in time.")
            return
        channel = self._channel
        room = channel.room()
        plan = self._next_plan(room)
        acknowledged = channel.ledger.acknowledged
        if plan and self._drained and not acknowledged and now < self._claim_at:
            self._send([self._block(plan)], plan, blocking=True)
        elif plan or acknowledged:
            self._confirming = channel.ledger.take()
            commands = confirmations(self._confirming)
            if plan:
                commands.append(self._read(plan, room, now))
            self._send(commands, plan, blocking=False)

    def receive(self) -> None:
        """The socket is readable: put what came into the channel's buffer."""
        if not self._expected:  # The server has closed a connection on which nothing was asked.
            self.close()
            return
        try:
            replies = [receive(self._connection) for _ in range(self._expected)]
            reply = replies.pop() if self._plan else None
            for failure in replies:
                if isinstance(failure, ResponseError):
                    raise refused(failure)
        except BaseException:  # What should have been confirmed will be, on another connection.
            self.close()
            raise
        self._expected, self._confirming = 0, []
        if isinstance(reply, ResponseError):
            self._explain(reply)
        elif self._plan:
            entries = (_blocked if self._blocking else _read)(reply, self._plan)
            self._drained = not entries
            self._rotation += bool(entries)
            self._channel.arrived(entries, self._blocking)

    def settle(self) -> None:
        """Take the reply to what is on its way now, so that the next command may be another one."""
        if self._expected:
            if self._blocking:
                with suppress(ResponseError):  # Where it is not permitted, the reply comes when its time is up.
                    self._channel.link.one(("CLIENT", "UNBLOCK", self._client_id))
            self.receive()
        self._drained = False

    def close(self) -> None:
        """Hang up."""
        self._channel.ledger.acknowledge(*self._confirming)
        self._confirming = []
        connection, self._connection, self._expected = self._connection, None, 0
        if connection is not None:
            self._channel.connection.unwatch(self._fd, self.receive)
            connection.disconnect()

    def _send(self, commands: list[Command], plan: Plan | None, blocking: bool) -> None:
        connection = self._connected()
        try:
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        except BaseException:
            self.close()
            raise
        self._expected, self._plan, self._blocking = len(commands), plan, blocking
        transport = self._channel.connection
        self._overdue = time.monotonic() + transport.address.patience + (transport.block if blocking else 0.0)

    def _connected(self) -> Any:
        if self._connection is None:
            connection = self._channel.connection.address.connect()
            connection.send_command("CLIENT", "ID", check_health=False)
            self._client_id = connection.read_response()
            self._connection, self._fd = connection, connection._sock.fileno()
            self._channel.connection.watch(self._fd, self.receive)
        return self._connection

    def _next_plan(self, room: int) -> Plan | None:
        """Streams of all queues, the most urgent first, and within one urgency each queue first in its turn."""
        queues = self._channel.readable(room)
        if not queues:
            return None
        turn = self._rotation % len(queues)
        queues = queues[turn:] + queues[:turn]
        names = self._channel.names
        order = zip(*(names.streams(queue) for queue, _ in queues), strict=True)
        streams = [stream for level in order for stream in level]
        levels = len(streams) // len(queues)
        return Plan(streams, [queue for queue, _ in queues] * levels, "".join(flag for _, flag in queues) * levels)

    def _read(self, plan: Plan, room: int, now: float) -> Command:
        transport = self._channel.connection
        overdue = stale = 0
        if now >= self._claim_at:
            self._claim_at = now + transport.claim_after / 3
            overdue = int(transport.claim_after * 1000)
            stale = 10 * overdue
        return scripts.READ(plan.streams, self._channel.name, plan.flags, room, transport.batch, overdue, stale)

    def _block(self, plan: Plan) -> Command:
        wait = int(self._channel.connection.block * 1000)
        streams = plan.streams
        ends = [">"] * len(streams)
        return ("XREADGROUP", "GROUP", GROUP, self._channel.name, "COUNT", 1, "BLOCK", wait, "STREAMS", *streams, *ends)

    def _explain(self, error: ResponseError) -> None:
        """A group or a script that the server has lost is made anew; anything else is an error."""
        self._drained = False
        if isinstance(error, NoScriptError):
            self._channel.link.one(("SCRIPT", "LOAD", scripts.READ.text))
        elif not any(word in str(error) for word in ("NOGROUP", "UNBLOCKED")):
            raise refused(error)


def _read(reply: Any, plan: Plan) -> list[Entry]:
    entries = []
    for index, again, *rest in reply:
        queue, stream = plan.queues[index - 1], plan.streams[index - 1]
        pairs = iter(rest)
        entries += [Entry(queue, stream, id_, payload, bool(again)) for id_, payload in zip(pairs, pairs, strict=True)]
    return entries


def _blocked(reply: Any, plan: Plan) -> list[Entry]:
    queues = dict(zip(plan.streams, plan.queues, strict=True))
    return [
        Entry(queues[stream.decode()], stream.decode(), id_, fields[1], False)
        for stream, found in reply or ()
        for id_, fields in found
    ]
