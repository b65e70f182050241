"""The worker's side of the keeper: sends it commands, reads their output, learns how they ended."""

from __future__ import annotations

import asyncio
import functools
import resource
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from executors.base import AT_ONCE, Unable
from executors.keeper import orphans, process
from executors.keeper.connection import MESSAGE_BYTES, Connection, packed
from executors.keeper.forest import GIVE_UP_SECONDS
from executors.keeper.pipes import Pipes

OPEN_FILES = 65_536
"""As many as this process wants to be allowed: each command at work takes one."""


class CommandError(Exception):
    """The command could not be started, or how it ended is unknown; the text is a sentence for the user."""


class Command(msgspec.Struct, frozen=True):
    """What the keeper is to run."""

    argv: list[str]
    env: dict[str, str]
    """All of it but the mark; holds SCHEDULER_RUN_ID and SCHEDULER_ATTEMPT, by which stray processes are known."""
    log: Callable[[bytes], None]
    cwd: str | None = None
    prologue: str = ""
    """Shell code that the same process runs first, such as `"ulimit -n 10 && "`."""
    grace: float = 5.0
    """Seconds from SIGTERM to SIGKILL, also for what the command leaves behind."""


class _Running:
    """A command on its way, with the read end of its output pipe."""

    __slots__ = ("exited", "gone", "pipe")

    def __init__(self, pipe: int, exited: asyncio.Future[int]) -> None:
        self.pipe = pipe
        self.exited = exited
        self.gone: asyncio.Future[list[int]] | None = None
        """The pids that could not be ended; only while its end is awaited."""

    def settle(self, kind: str, value: Any) -> None:
        if kind == "gone":
            if self.gone and not self.gone.done():
                self.gone.set_result(value)
        elif self.exited.done():  # Cancelled: now only "gone" counts.
            return
        elif kind == "exited":
            self.exited.set_result(value)
        else:
            self.exited.set_exception(Unable(value) if kind == "unable" else CommandError(value))


class KeeperClient:
    """One keeper process and all commands under it. Belongs to the event loop it is made in."""

    def __init__(self, patience: float = GIVE_UP_SECONDS + 5) -> None:
        """`patience`: seconds after a tree's grace until a keeper that does not answer is killed itself."""
        self._patience = patience
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._mark = uuid.uuid4().hex
        self._connection: Connection | None = None
        self._starting = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None
        self._running: dict[int, _Running] = {}
        self._last_id = 0
        self._lease_until: float | None = None
        self._pipes = Pipes(self._loop)
        self._open_files = _raise_open_files()
        process.become_subreaper()  # Should the keeper be killed, its commands fall to us instead of to init.

    @property
    def pid(self) -> int | None:
        """The keeper's pid, if it runs."""
        return self._connection.process.pid if self._connection else None

    async def start(self) -> None:
        """Start the keeper unless it runs; raises `Unable`, or `CommandError` after `close`."""
        async with self._starting:
            if self._recovery:
                await asyncio.shield(self._recovery)
            if self._closed:
                raise CommandError("The worker is stopping.")
            if self._connection is None:
                self._connection = await self._connect()
                if self._lease_until is not None:
                    self.renew(self._lease_until - self._loop.time())

    async def close(self) -> None:
        """End the keeper and all commands at once, and wait until they are gone."""
        async with self._starting:
            self._closed = True
            if self._recovery:
                await self._recovery
            connection, self._connection = self._connection, None
            if connection:
                connection.close()
                await connection.ended()
            self._fail_all("The worker stopped before the command ended.")
            self._pipes.close()

    def renew(self, seconds: float) -> None:
        """Have the keeper end all commands by itself unless it hears of this again within so many seconds."""
        self._lease_until = self._loop.time() + seconds
        if self._connection:
            self._connection.send(packed(("lease", seconds)))

    async def run(self, command: Command) -> int:
        """Run a command; return its exit code (a signal as its negative number). Raises `CommandError` and `Unable`.

        Cancelled, it ends the whole process tree and lets the error pass when that is gone. A second
        cancellation ends the grace.
        """
        if self._connection is None:
            await self.start()
        self._last_id = id = self._last_id + 1
        running = self._spawn(id, command)
        try:
            return await running.exited
        except asyncio.CancelledError as reason:
            grace = 0.0 if reason.args == (AT_ONCE,) else command.grace
            if survivors := await self._end(id, running, grace):
                _tell_survivors(survivors, command, reason)
            raise
        finally:
            self._finish(id, running)

    async def _connect(self) -> Connection:
        try:
            connection = Connection(self._open_files, self._take_reply, self._lost)
        except OSError as error:
            why = error.strerror
        else:
            if await connection.open():
                return connection
            why = "the worker's own log says why"
        raise Unable(f"The worker's helper process for shell commands could not be started: {why}.")

    def _spawn(self, id: int, command: Command) -> _Running:
        assert self._connection
        env = {**command.env, orphans.MARK: self._mark}
        message = packed(("spawn", id, command.argv, env, command.cwd, command.prologue, command.grace))
        if len(message) > MESSAGE_BYTES:
            what = f"{len(message):,} bytes, more than the {MESSAGE_BYTES:,} that can be passed"
            raise CommandError(f"The command, its environment and the parameters take {what}; pass a file instead.")
        try:
            reader, writer = self._pipes.add(command.log)
        except OSError as error:
            raise Unable(f"The worker could not make a pipe for the output: {error.strerror}.") from error
        running = self._running[id] = _Running(reader, self._loop.create_future())
        self._connection.send(message, writer)
        return running

    async def _end(self, id: int, running: _Running, grace: float) -> list[int]:
        """End a command's tree; return the pids of those that cannot be ended."""
        while self._connection:
            running.gone = self._loop.create_future()
            last_resort = self._loop.call_later(grace + self._patience, self._connection.process.kill)
            self._connection.send(packed(("kill", id, grace)))
            try:
                return await running.gone
            except asyncio.CancelledError:
                grace = 0.0
            finally:
                last_resort.cancel()
        if self._recovery:
            await asyncio.shield(self._recovery)
        return []

    def _finish(self, id: int, running: _Running) -> None:
        del self._running[id]
        if running.exited.done() and not running.exited.cancelled():
            running.exited.exception()  # Seen, even if a cancellation came first.
        self._pipes.remove(running.pipe)

    def _take_reply(self, kind: str, id: int, value: Any) -> None:
        if running := self._running.get(id):
            running.settle(kind, value)

    def _lost(self) -> None:
        """The keeper died."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
            self._recovery = self._loop.create_task(self._recover(connection))

    async def _recover(self, connection: Connection) -> None:
        try:
            await connection.ended()
            await orphans.end_all(self._mark, self._pipes.inodes())
        finally:
            self._fail_all("The worker's helper process that ran the command died; the command was ended.")
            self._recovery = None

    def _fail_all(self, why: str) -> None:
        for running in self._running.values():
            running.settle("failed", why)
            running.settle("gone", [])


def _tell_survivors(survivors: list[int], command: Command, reason: asyncio.CancelledError) -> None:
    note = f"These processes could not be ended: {', '.join(map(str, survivors))}."
    command.log(f"\n[{note}]\n".encode())
    reason.add_note(note)


@functools.cache
def _raise_open_files() -> int:
    """Allow this process enough file descriptors, if it may; return the limit it had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return soft
