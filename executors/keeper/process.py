"""Processes as /proc shows them."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Container

_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A moment's view of one process; `(pid, born)` is its identity, since the kernel uses pids again."""

    __slots__ = ("born", "dead", "parent", "pid", "session")

    def __init__(self, pid: int, stat: bytes) -> None:
        fields = stat[stat.rindex(b")") + 2 :].split(None, 20)
        self.pid = pid
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.born = int(fields[19])
        """Start, in clock ticks since boot."""
        # A process whose first thread has ended looks like a zombie, but counts its other threads.
        self.dead = fields[0] in b"ZX" and int(fields[17]) <= 1

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.born


def read(pid: int) -> Process | None:
    """The process `pid`, or None if there is none."""
    stat = _contents(f"/proc/{pid}/stat")
    return Process(pid, stat) if stat else None


def everything(but: Container[int] = ()) -> list[Process]:
    """All processes, zombies too, without looking at those whose pid is in `but`."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - pathlib takes memory
    found = (read(pid) for pid in pids if pid not in but)
    return [process for process in found if process]


def by_parent(processes: list[Process]) -> dict[int, list[Process]]:
    """The living among `processes` by their parent's pid."""
    children: dict[int, list[Process]] = {}
    for process in processes:
        if not process.dead:
            children.setdefault(process.parent, []).append(process)
    return children


def environment(pid: int) -> dict[bytes, bytes]:
    """What `pid` was started with; empty if it is gone or not ours to read."""
    pairs = (entry.partition(b"=") for entry in _contents(f"/proc/{pid}/environ").split(b"\0"))
    return {name: value for name, _, value in pairs}


def output_pipes(pid: int) -> set[int]:
    """Inodes of the files behind standard output and error of `pid`; empty if it is gone or not ours to read."""
    inodes = set()
    for number in (1, 2):
        with contextlib.suppress(OSError):
            inodes.add(os.stat(f"/proc/{pid}/fd/{number}").st_ino)  # noqa: PTH116 - pathlib takes memory
    return inodes


def send(process: Process, *signals: int) -> None:
    """Send signals, unless the pid belongs to another process by now. A process that refuses them is left."""
    now = read(process.pid)
    if now is None or now.born != process.born:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        for number in signals:
            os.kill(process.pid, number)


def become_subreaper(yes: bool = True) -> None:
    """From now on orphaned descendants of this process become its children; raises `OSError`."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def set_name(name: bytes) -> None:
    """The name that `ps` and `top` show; at most 15 bytes count."""
    _libc.prctl(_PR_SET_NAME, name, 0, 0, 0)


def _contents(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # Gone, or another user's.
        return b""
    try:
        parts = []
        while part := os.read(file, 65_536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # It ended meanwhile.
        return b""
    finally:
        os.close(file)
