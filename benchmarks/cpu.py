"""What processes cost: CPU time and memory, as the kernel tells it in /proc.

CPU per run is the steadier figure: a busy neighbour lowers a rate, but hardly the work that one run takes.
"""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cpu:
    """CPU seconds, user and system."""

    own: float = 0.0
    """Of the process itself."""
    reaped: float = 0.0
    """Of children that have ended and were waited for, with all that they had reaped."""

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.own + other.own, self.reaped + other.reaped)

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.own - other.own, self.reaped - other.reaped)

    @property
    def total(self) -> float:
        return self.own + self.reaped


def of(pid: int) -> Cpu:
    """What one process has used so far; nothing for one that has ended."""
    fields = _stat(pid)
    if not fields:
        return Cpu()
    user, system, reaped_user, reaped_system = map(int, fields[11:15])
    return Cpu((user + system) / TICKS, (reaped_user + reaped_system) / TICKS)


def tree(pid: int) -> Cpu:
    """The same of a process and of everything under it."""
    return sum((of(each) for each in family(pid)), Cpu())


def family(pid: int) -> list[int]:
    """A process and everything under it."""
    return [pid, *(below for child in children(pid) for below in family(child))]


def children(pid: int) -> list[int]:
    """The children of a process that live now."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text().split())
        except OSError:  # the thread has ended meanwhile
            continue
    return found


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def name(pid: int) -> str:
    """The program's name, as far as the kernel keeps it (15 characters); empty when the process has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def memory_mb(pid: int) -> dict[str, float]:
    """PSS (each shared page counts by its share) and RSS, in MB of 1,000,000 bytes."""
    found = {"pss": 0.0, "rss": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        key = line.partition(":")[0].lower()
        if key in found:
            found[key] = round(int(line.split()[1]) * 1024 / 1e6, 1)
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third (state) on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
