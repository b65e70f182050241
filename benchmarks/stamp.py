"""The command whose start is timed from outside, and the lines it leaves."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("stamp.c")
SHELL = "echo $SCHEDULER_RUN_ID $(date +%s.%N) $SCHEDULER_SCHEDULED_FOR >> {path}"


@dataclass(frozen=True)
class Start:
    """A process that was started for a run; times are seconds since 1970 on this machine's clock."""

    run: str
    at: float
    nominal: float


class Stamp:
    """A task's command that notes when it started; a small C program where there is a compiler."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "starts.txt"
        self.path.touch()
        self._program = _compiled(folder / "stamp")
        self._from = 0

    @property
    def method(self) -> str:
        return "a C program" if self._program else "sh and date (no C compiler here): two processes more for each run"

    @property
    def task(self) -> dict[str, Any]:
        """The task's fields that say what to run."""
        if self._program:
            return {"executor": "shell", "command": str(self._program), "config": {"args": [str(self.path)]}}
        return {"executor": "shell", "command": SHELL.format(path=self.path), "config": {}}

    def forget(self) -> None:
        """From now on only what starts later counts."""
        self._from = self.path.stat().st_size

    def count(self) -> int:
        return self._lines().count(b"\n")

    def starts(self) -> Iterator[Start]:
        for line in self._lines().decode().splitlines():
            run, at, nominal = line.split()
            yield Start(run, float(at), 0.0 if nominal == "-" else datetime.fromisoformat(nominal).timestamp())

    def _lines(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self._from)
            return file.read()


def _compiled(program: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    # Static, because a dynamic linker takes longer than the program; not every system has libc for that.
    for options in (["-static"], []):
        if compiler:
            argv = [compiler, "-O1", *options, "-o", str(program), str(SOURCE)]
            if subprocess.run(argv, capture_output=True, check=False).returncode == 0:  # noqa: S603 - our own source
                return program
    return None
