"""Starts the keeper and holds the connection to it."""

from __future__ import annotations

import asyncio
import marshal
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

MESSAGE_BYTES = 200_000
_REPLY_BYTES = 256 * 1024
_START_SECONDS = 30.0

# `executors/__init__.py` would pull in what the keeper has no use for, so it gets a package without one.
_BOOT = f"""
import sys, types
package = sys.modules["executors"] = types.ModuleType("executors")
package.__path__ = [{str(Path(__file__).parent.parent)!r}]
from executors.keeper.main import main
main()
"""


def packed(message: tuple[Any, ...]) -> bytes:
    """What the keeper reads as `message`.

    In an older format, as in newer ones it is told which names are interned here and interns them too: its table of
    these would be made anew, and larger, each time some thousand had come and gone, in what is left of its memory.
    """
    return marshal.dumps(message, 2)


class Connection:
    """A new keeper process and the way to it. Closing it, or dying, makes the keeper end all commands and exit."""

    def __init__(self, open_files: int, on_reply: Callable[[str, int, Any], None], on_lost: Callable[[], None]) -> None:
        """`open_files`: the commands' limit of file descriptors. Raises `OSError`."""
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[bytes, int]] = deque()
        self._buffer = memoryview(bytearray(_REPLY_BYTES))
        self._blocked = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for end in (self._socket, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MESSAGE_BYTES)
                end.setblocking(end is theirs)
            try:
                self.process = _start_process(theirs.fileno(), open_files)
            except OSError:
                self._socket.close()
                raise

    async def open(self) -> bool:
        """Wait for the keeper's first word; False (and closed) if it does not come."""
        ready = b""
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await self._loop.sock_recv(self._socket, _REPLY_BYTES)
        except (TimeoutError, ConnectionError):
            self.process.kill()
        finally:
            if not ready:
                self.close()
        if not ready:
            await self.ended()
            return False
        self._loop.add_reader(self._socket, self._receive)
        return True

    def send(self, message: bytes, file: int = -1) -> None:
        """Send as soon as possible, without waiting; `file` goes along and is closed here."""
        self._unsent.append((message, file))
        if not self._blocked:
            self._send_all()

    def close(self) -> None:
        """Close; neither callback is called any more."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for _, file in self._unsent:
            _close_file(file)
        self._unsent.clear()

    async def ended(self) -> None:
        """Wait until the keeper, closed or dead, has ended all commands it could and exited."""
        await asyncio.to_thread(self.process.wait)

    def _send_all(self) -> None:
        while self._unsent:
            message, file = self._unsent[0]
            try:
                self._socket.sendmsg([message], _rights(file))
            except BlockingIOError:
                self._blocked = True
                self._loop.add_writer(self._socket, self._send_all)
                return
            except OSError:
                self._on_lost()
                return
            self._unsent.popleft()
            _close_file(file)
        if self._blocked:
            self._blocked = False
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except ConnectionError:
            size = 0
        if size == 0:
            self._on_lost()
            return
        for kind, id, value in marshal.loads(self._buffer[:size]):  # noqa: S302 - both ends are ours
            self._on_reply(kind, id, value)


def _start_process(connection: int, open_files: int) -> subprocess.Popen[bytes]:
    # It must not know the worker's secrets: its commands could read them in its /proc/PID/environ.
    needed = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    arguments = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, str(connection), str(open_files)]
    return subprocess.Popen(  # noqa: S603 - our own program
        arguments, pass_fds=[connection], stdin=subprocess.DEVNULL, env=needed, start_new_session=True
    )


def _rights(file: int) -> list[tuple[int, int, bytes]]:
    if file < 0:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, file.to_bytes(4, sys.byteorder))]


def _close_file(file: int) -> None:
    if file >= 0:
        os.close(file)
