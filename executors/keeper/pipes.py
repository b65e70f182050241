"""The worker's ends of the commands' output pipes."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable

CHUNK_BYTES = 64 * 1024
_READS_PER_TURN = 16
"""Then the event loop's other duties have their turn."""
_LAST_READS = 17
"""Enough for the largest pipe (1 MiB), so that a left-behind writer cannot hold an attempt open."""

Log = Callable[[bytes], None]


class Pipes:
    """Logs what comes out of any number of pipes, at the cost of one registration with the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._logs: dict[int, Log] = {}
        self._open_ended: set[int] = set()
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._read_ready)

    def add(self, log: Log) -> tuple[int, int]:
        """Make a pipe; return the end that is read here and the end to write to. Raises `OSError`."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        self._logs[reader] = log
        self._open_ended.add(reader)
        self._epoll.register(reader, select.EPOLLIN)
        return reader, writer

    def remove(self, reader: int) -> None:
        """Log what is left in the pipe, without waiting for more, and close it."""
        for _ in range(_LAST_READS):
            if not self._read(reader):
                break
        self._unregister(reader)
        del self._logs[reader]
        os.close(reader)

    def inodes(self) -> set[int]:
        """The inode of every pipe: processes that write to it show the same one."""
        return {os.fstat(reader).st_ino for reader in self._logs}

    def close(self) -> None:
        """Read no more. Pipes not yet removed still can be."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _read_ready(self) -> None:
        for reader, _ in self._epoll.poll(0, _READS_PER_TURN):
            self._read(reader)

    def _read(self, reader: int) -> bool:
        """Log the next chunk; return whether there was any."""
        try:
            chunk = os.read(reader, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if chunk:
            self._logs[reader](chunk)
        else:
            self._unregister(reader)  # Its end would be reported for ever.
        return bool(chunk)

    def _unregister(self, reader: int) -> None:
        if reader in self._open_ended:
            self._open_ended.remove(reader)
            if not self._epoll.closed:
                self._epoll.unregister(reader)
