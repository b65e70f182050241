"""Looks again and again at something that may grow."""

import threading
import time
from collections.abc import Callable

from benchmarks import cpu

Look = dict[str, float]
"""Figure → value, at one moment."""
KEEPER = "task-keeper"


class Samples:
    """Looks every `pause` seconds while the block lasts."""

    def __init__(self, look: Callable[[], Look], pause: float) -> None:
        self._look, self._pause = look, pause
        self._seen: list[tuple[float, Look]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="samples")

    def __enter__(self) -> "Samples":
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._pause):
            self._seen.append((time.monotonic() - self._begin, self._look()))

    @property
    def names(self) -> set[str]:
        """All figures that were seen."""
        return {name for _, look in self._seen for name in look}

    def of(self, name: str, since: float, until: float = float("inf")) -> list[tuple[float, float]]:
        """A figure between two moments: seconds from the begin, and value."""
        return [(at, look[name]) for at, look in self._seen if since <= at <= until and name in look]


def ours(pids: dict[str, int]) -> dict[str, int]:
    """Our processes by their names, with the helpers that workers have, but without the commands they run."""
    keepers = {
        f"{name}'s helper": child
        for name, pid in pids.items()
        for child in cpu.children(pid)
        if cpu.name(child) == KEEPER
    }
    return pids | keepers


def memory(pids: dict[str, int]) -> Look:
    """PSS of each, in MB; those that have just ended are left out."""
    found: Look = {}
    for name, pid in pids.items():
        try:
            found[name] = cpu.memory_mb(pid)["pss"]
        except OSError:
            continue
    return found
