"""Reports that wait until the dispatchers can be told: in memory while they are few, then on disk, in their order.

What is on disk is for this process alone and goes with it: the runs of a worker that is gone are started again.
"""

import errno
import os
import tempfile
from collections import deque
from threading import Lock
from typing import IO

import msgspec

from workers_app.events import note, note_often
from workers_app.messaging.protocol import AttemptKey, Output, Report

MEMORY_BYTES = 8 * 1024 * 1024
DISK_BYTES = 256 * 1024 * 1024
"""Beyond that, output is dropped; how attempts ended is kept whatever it takes: there are no more than slots."""
_LENGTH = 4
_DROPPED = "\n… output is missing here: this worker had more to report than it could keep.\n"


class Backlog:
    """First in, first out. `add` from any thread; everything else in one."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES, disk_bytes: int = DISK_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._lock = Lock()
        self._decode = msgspec.msgpack.Decoder(Report).decode
        self._front: deque[tuple[Report, int]] = deque()
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._read_at = self._write_at = 0
        self._on_disk = 0
        self._cut: set[AttemptKey] = set()

    def __len__(self) -> int:
        return len(self._front) + self._on_disk

    def add(self, report: Report) -> None:
        """Put `report` behind all others."""
        encoded = msgspec.msgpack.encode(report)
        with self._lock:
            if not self._on_disk and self._bytes + len(encoded) <= self._memory_bytes:
                self._keep(report, len(encoded))
            elif not self._store(encoded):
                self._squeeze(report, len(encoded))

    def _keep(self, report: Report, size: int) -> None:
        self._front.append((report, size))
        self._bytes += size

    def _store(self, encoded: bytes) -> bool:
        """Write it behind what is on disk; False where that is full."""
        if self._write_at + len(encoded) > self._disk_bytes:
            return False
        record = len(encoded).to_bytes(_LENGTH) + encoded
        try:
            if self._file is None:
                # Unbuffered: what a full disk did not take must not be tried again behind our back.
                self._file = tempfile.TemporaryFile(prefix="scheduler-reports-", buffering=0)  # noqa: SIM115 - it stays
            self._file.seek(self._write_at)
            if self._file.write(record) < len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            note_often("disk_full", "Reports cannot be kept on disk: %s", error)
            return False
        self._write_at += len(record)
        self._on_disk += 1
        return True

    def _squeeze(self, report: Report, size: int) -> None:
        """No room: keep how attempts went, and of output only a word that it is missing. It may overtake others."""
        if not isinstance(report, Output):
            self._keep(report, size)
        elif report.key not in self._cut:
            self._cut.add(report.key)
            note("output_dropped", "Output of run %s is dropped: there is too much to report.", report.key.run)
            self._keep(msgspec.structs.replace(report, text=_DROPPED), len(_DROPPED))

    def batch(self, number: int, size: int) -> list[Report]:
        """Take the first ones: at most `number`, and not many more than `size` bytes."""
        with self._lock:
            if not self._front:
                self._fetch()
            taken: list[Report] = []
            while self._front and len(taken) < number and size > 0:
                report, length = self._front.popleft()
                self._bytes -= length
                size -= length
                taken.append(report)
            if not self._front and not self._on_disk:
                self._cut.clear()
            return taken

    def _fetch(self) -> None:
        """Read some of what is on disk."""
        while self._file and self._on_disk and (not self._front or self._bytes < self._memory_bytes // 2):
            self._file.seek(self._read_at)
            length = int.from_bytes(self._file.read(_LENGTH))
            self._keep(self._decode(self._file.read(length)), length)
            self._read_at += _LENGTH + length
            self._on_disk -= 1
        if self._file and not self._on_disk:
            self._read_at = self._write_at = 0
            self._file.truncate(0)

    def take_back(self, reports: list[Report]) -> None:
        """Put `reports` before all others: they have to go once more."""
        with self._lock:
            for report in reversed(reports):
                size = len(msgspec.msgpack.encode(report))
                self._front.appendleft((report, size))
                self._bytes += size

    def keep_only(self, kind: type) -> None:
        """Forget all reports that are not of this kind."""
        with self._lock:
            kept: deque[tuple[Report, int]] = deque()
            while self._front or self._on_disk:
                kept.extend(each for each in self._front if isinstance(each[0], kind))
                self._front.clear()
                self._bytes = 0
                self._fetch()
            self._front = kept
            self._bytes = sum(size for _, size in kept)
