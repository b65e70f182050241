"""What commands themselves write down when they begin; cheap, and the scheduler never reads it.

A command written here is a script that says when it began, as the machine's uptime in hundredths of a second, and goes
on with whatever it is to do. The line is one `write` to a file opened with O_APPEND.
"""

import time
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

WRITE = (
    "read -r up rest < /proc/uptime; "
    'echo "$up $SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT $SCHEDULER_WORKER $SCHEDULER_SCHEDULED_FOR $$" >> {path}; '
)


@dataclass(frozen=True)
class Start:
    """An attempt has begun."""

    at: float
    """On the monotonic clock; up to 0.01 s early."""
    run: str
    attempt: int
    worker: str
    nominal: float
    """Seconds since 1970."""
    pid: int


class Ledger:
    """Read again and again while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._starts: list[Start] = []

    def command(self, script: str = "") -> str:
        """A command that writes that it begins, and then does what `script` says."""
        return WRITE.format(path=self._path) + script

    @property
    def starts(self) -> list[Start]:
        """All so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole, end, _ = file.read().rpartition(b"\n")
            self._read += len(whole + end)
            # The uptime goes on while the machine is suspended; the monotonic clock does not.
            offset = time.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME)
            self._starts += [_start(line, offset) for line in whole.decode().splitlines()]
        return self._starts

    @property
    def begun(self) -> set[str]:
        """All runs of which an attempt has begun."""
        return {each.run for each in self.starts}

    def first(self, runs: Container[str]) -> dict[str, Start]:
        """The starts of the first attempts of these runs."""
        return {each.run: each for each in self.starts if each.run in runs and each.attempt == 1}

    def again(self, runs: Container[str]) -> dict[str, Start]:
        """The next starts after these: not always of the second attempts, as such a one may never reach its worker."""
        later = [each for each in self.starts if each.run in runs and each.attempt > 1]
        return {each.run: each for each in sorted(later, key=lambda each: each.attempt, reverse=True)}

    def newest(self, run: str) -> Start | None:
        """The start of the run's newest attempt."""
        return max((each for each in self.starts if each.run == run), key=lambda each: each.attempt, default=None)


def _start(line: str, offset: float) -> Start:
    up, run, attempt, worker, nominal, pid = line.split()
    return Start(float(up) + offset, run, int(attempt), worker, datetime.fromisoformat(nominal).timestamp(), int(pid))
