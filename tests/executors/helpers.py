"""What all tests of executors need."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from executors.base import Context


class Log:
    """An attempt's log in memory."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def __call__(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    @property
    def text(self) -> str:
        return b"".join(self.chunks).decode()


def context(command: str, log: Callable[[bytes], None] | None = None, **changes: Any) -> Context:
    values: dict[str, Any] = {
        "run_id": "0198-run",
        "attempt": 1,
        "task": "nightly",
        "config": {},
        "params": {},
        "scheduled_for": "2026-01-02T03:04:05Z",
    }
    return Context(command=command, log=log or Log(), **(values | changes))


async def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait until `condition` returns something true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.005)
    return value


def alive(pid: int) -> bool:
    """Whether `pid` runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def written_pids(folder: Path) -> list[int]:
    """The pids that commands wrote into files of `folder`."""
    return [int(text) for file in folder.iterdir() if (text := file.read_text().strip())]


def open_files(pid: int | None = None) -> int:
    return len(list(Path(f"/proc/{pid or os.getpid()}/fd").iterdir()))


def rss(pid: int | None = None) -> int:
    return int(psutil.Process(pid).memory_info().rss)


_others: set[psutil.Process] = set()


def note_other_children() -> None:
    """Remember the processes that the test run has started for other tests (a broker, say)."""
    _others.clear()
    _others.update(psutil.Process().children(recursive=True))


def offspring(*, recursive: bool = False) -> list[psutil.Process]:
    """The child processes that came since this test began."""
    return [child for child in psutil.Process().children(recursive=recursive) if child not in _others]
