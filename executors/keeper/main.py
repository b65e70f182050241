"""The keeper's loop. Arguments: the connection's file descriptor and the commands' limit of open files."""

from __future__ import annotations

import marshal
import os
import resource
import select
import signal
import socket
import sys
import time

from executors.keeper import process, spawn
from executors.keeper.forest import Attempt, Forest

TYPE_CHECKING = False
if TYPE_CHECKING:  # The real module takes a megabyte.
    from typing import Any

MESSAGE_BYTES = 256 * 1024
_REPLIES_PER_MESSAGE = 100
_SENTENCE = 500
_REQUESTS_PER_TURN = 64
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)


class Keeper:
    """Carries out the worker's requests, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = memoryview(bytearray(MESSAGE_BYTES))
        self._forest = Forest()
        self._replies: list[tuple[Any, ...]] = []
        self._lease_until: float | None = None

    def serve(self) -> None:
        """Answer until the worker is gone, then leave nothing behind."""
        wakeup = _wake_on_child_exit()
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        self._replies.append(("ready", 0, None))
        while self._answer():
            for file, _ in poll.poll(self._milliseconds_left()):
                if file == wakeup.fileno():
                    wakeup.recv(4096)
                    self._reap()
                elif not self._take_requests():
                    return self._end_everything()
            self._look()
            self._watch_lease()
        return self._end_everything()

    def _take_requests(self) -> bool:
        for _ in range(_REQUESTS_PER_TURN):
            try:
                size, ancillary, _, _ = self._connection.recvmsg_into([self._buffer], 64, _FLAGS)
            except BlockingIOError:
                return True
            except ConnectionError:  # The worker died with replies unread.
                return False
            if not size:
                return False
            self._handle(marshal.loads(self._buffer[:size]), ancillary)  # noqa: S302 - both ends are ours
        return True

    def _handle(self, request: tuple[Any, ...], ancillary: list[tuple[int, int, bytes]]) -> None:
        kind, *arguments = request
        if kind == "kill":
            self._kill(*arguments)
            return
        if kind == "lease":
            self._lease_until = _steady() + arguments[0]
            return
        output = int.from_bytes(ancillary[0][2], sys.byteorder)
        try:
            self._spawn(output, *arguments)
        finally:
            os.close(output)

    def _spawn(
        self,
        output: int,
        id: int,
        argv: list[str],
        env: dict[str, str],
        cwd: str | None,
        prologue: str,
        grace: float,
    ) -> None:
        try:
            pid = spawn.start(argv, env, cwd, prologue, output)
        except spawn.Refused as refused:
            kind = "unable" if isinstance(refused, spawn.Exhausted) else "refused"
            self._replies.append((kind, id, str(refused)[:_SENTENCE]))
            return
        marker = env["SCHEDULER_RUN_ID"].encode(), env["SCHEDULER_ATTEMPT"].encode()
        self._forest.plant(Attempt(id, pid, os.fstat(output).st_ino, grace, marker))

    def _kill(self, id: int, grace: float) -> None:
        if not self._forest.end(id, grace, time.monotonic()):
            self._replies.append(("gone", id, []))

    def _reap(self) -> bool:
        """Reap all children that have ended; return whether there are others."""
        now = time.monotonic()
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if attempt := self._forest.fell(pid, now):
                    self._replies.append(("exited", attempt.id, os.waitstatus_to_exitcode(status)))
        except ChildProcessError:
            return False

    def _look(self) -> None:
        now = time.monotonic()
        if self._forest.due is not None and self._forest.due <= now:
            self._replies += [("gone", id, survivors[:100]) for id, survivors in self._forest.look(now)]

    def _watch_lease(self) -> None:
        """Past its lease the worker may have to end everything and be unable to: it was stopped, or starves."""
        if self._lease_until is not None and self._lease_until <= _steady():
            self._lease_until = None
            for attempt in list(self._forest.live.values()):
                self._forest.end(attempt.id, 0.0, time.monotonic())

    def _milliseconds_left(self) -> int | None:
        waits = [] if self._forest.due is None else [self._forest.due - time.monotonic()]
        if self._lease_until is not None:
            waits.append(self._lease_until - _steady())
        return max(0, int(min(waits) * 1000) + 1) if waits else None

    def _answer(self) -> bool:
        """Send the replies; return whether the worker is still there."""
        while self._replies:
            part, self._replies = self._replies[:_REPLIES_PER_MESSAGE], self._replies[_REPLIES_PER_MESSAGE:]
            try:
                self._connection.send(marshal.dumps(part))
            except ConnectionError:
                return False
        return True

    def _end_everything(self) -> None:
        while self._reap():
            self._forest.raze()
            time.sleep(0.01)


def _steady() -> float:
    """As the worker counts its lease: also while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """Become the keeper."""
    connection, open_files = int(sys.argv[1]), int(sys.argv[2])
    process.become_subreaper()
    process.set_name(b"task-keeper")
    # Every command inherits these, which costs nothing per run.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for number in _IGNORED:  # Its life hangs on the connection alone.
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    spawn.note_ignored_signals()
    os.set_inheritable(connection, False)  # It had to outlive our exec, but no command may hold it.
    Keeper(socket.socket(fileno=connection)).serve()


def _wake_on_child_exit() -> socket.socket:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return ours
