"""A connection for commands that answer at once; any thread may use it."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kombu.utils.eventio import ERR, READ, poll
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, ReadOnlyError, RedisError, ResponseError

from workers_app.messaging.redis_streams.scripts import Command, in_full

IDLE_SECONDS = 1.0
"""A connection unused for so long is looked at before it is used: the server may have closed it."""

_AWAY = (ReadOnlyError, MasterDownError)
_AWAY_WORDS = ("LOADING", "READONLY", "MASTERDOWN", "MISCONF", "OOM")
"""It loads, is a replica, or has no room left on its disk or in its memory."""


def refused(error: RedisError) -> RedisError:
    """The error to raise for an error reply: a server that cannot serve now counts as one that is not there.

    Before Redis 7 a script's error does not begin with its code.
    """
    if isinstance(error, _AWAY) or any(word in str(error) for word in _AWAY_WORDS):
        return RedisConnectionError(str(error))
    return error


def receive(connection: Any) -> Any:
    """The next reply; an error reply is returned, as others may follow it. Raises connection errors."""
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def is_readable(fd: int) -> bool:
    """Whether something has come that was not read yet."""
    poller = poll()
    try:
        poller.register(fd, READ | ERR)
        return bool(poller.poll(0))
    finally:
        poller.close()


class Link:
    """Opens its connection when it is first used, and again after it was lost, until it is closed."""

    def __init__(self, connect: Callable[..., Any]) -> None:
        self._connect = connect
        self._connection: Any = None
        self._lock = threading.RLock()
        self._used = 0.0
        self._closed = False
        self._patience: float | None = None

    def call(self, *commands: Command) -> list[Any]:
        """Send all commands in one round trip and return their replies; raises the first error reply."""
        if not commands:
            return []
        with self._lock:
            replies = self._exchange(commands)
            unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if unknown:
                again = self._exchange([in_full(commands[index]) for index in unknown])
                for index, reply in zip(unknown, again, strict=True):
                    replies[index] = reply
        for reply in replies:
            if isinstance(reply, RedisError):
                raise refused(reply)
        return replies

    def one(self, command: Command) -> Any:
        """The reply to one command."""
        return self.call(command)[0]

    def doubt(self) -> None:
        """Look at the connection before it is used again, whether or not it was idle."""
        self._used = 0.0

    def hurry(self, seconds: float) -> None:
        """The connection was lost. Over another one each answer must come in so many seconds; else it is closed."""
        self._interrupt()
        with self._lock:
            self._hang_up()
            self._patience = seconds

    def close(self) -> None:
        """Hang up for good."""
        self._closed = True
        self._interrupt()
        with self._lock:
            self._hang_up()

    def _interrupt(self) -> None:
        """Whichever thread waits for a reply, waits no longer."""
        waiting = getattr(self._connection, "_sock", None)
        if waiting is not None:
            with suppress(OSError):  # It may be closed by now.
                waiting.shutdown(socket.SHUT_RDWR)

    def after_fork(self) -> None:
        """In a child: leave the parent's connection alone."""
        self._lock = threading.RLock()
        self._hang_up()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _exchange(self, commands: Any) -> list[Any]:
        try:
            connection = self._ready()
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            replies = [receive(connection) for _ in commands]
        except BaseException:  # A reply may still be on its way: this connection cannot be used again.
            self._hang_up()
            self._closed = self._closed or self._patience is not None
            raise
        self._used = time.monotonic()
        return replies

    def _ready(self) -> Any:
        if self._connection is not None and time.monotonic() - self._used > IDLE_SECONDS and self._is_stale():
            self._hang_up()
        if self._closed:
            raise RedisConnectionError("The connection is closed.")
        if self._connection is None:
            self._connection = self._connect(patience=self._patience)
        return self._connection

    def _is_stale(self) -> bool:
        try:
            return bool(self._connection.can_read())
        except (RedisConnectionError, OSError):
            return True
