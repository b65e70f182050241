"""How busy the machine is that a worker runs on, as Linux tells it."""

from pathlib import Path

PROC = Path("/proc")
_IDLE = slice(3, 5)
"""Of the first line of /proc/stat: idle, and waiting for disks."""


class Load:
    """Percentages of the whole machine; None where there is no /proc."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._last = (0, 0)

    def cpu_percent(self) -> float | None:
        """How much of its processors was in use since the last call."""
        words = self._read("stat").partition("\n")[0].split()[1:]
        if not words:
            return None
        times = [int(word) for word in words[:8]]  # what guests used is in the others already
        now = (sum(times), sum(times[_IDLE]))
        (total, idle), self._last = (now[0] - self._last[0], now[1] - self._last[1]), now
        return round(100.0 * (1 - idle / total), 1) if total > 0 else 0.0

    def memory_percent(self) -> float | None:
        """How much of its memory could not be had without swapping."""
        found = dict(line.split(":", 1) for line in self._read("meminfo").splitlines() if ":" in line)
        if "MemTotal" not in found or "MemAvailable" not in found:
            return None
        total, available = (int(found[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        return round(100.0 * (1 - available / total), 1)

    def _read(self, name: str) -> str:
        try:
            return (self._proc / name).read_text()
        except OSError:
            return ""
