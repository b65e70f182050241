"""The processes of a standalone installation, and the one that looks after them."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LOG_BYTES = 10 * 1024 * 1024
"""A longer log is put aside (one generation) when its part starts."""
FIRST_REST_SECONDS, MAX_REST_SECONDS = 0.5, 10.0
STEADY_SECONDS = 30.0
"""A part that lived so long is restarted at once when it dies."""

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Part:
    """One process: its command, its whole environment, and how long it may take to end."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    log: Path
    stop_seconds: float = 10.0
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    restarts: int = 0
    rest_until: float = 0.0

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".old"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self.argv,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C on the terminal is for the supervisor alone; it ends its parts in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.started = time.monotonic()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def revive(self, now: float) -> bool:
        """Start it again if it is dead and has rested; True if it did."""
        if self.alive or now < self.rest_until:
            return False
        if self.rest_until == 0.0:
            steady = now - self.started > STEADY_SECONDS
            self.restarts = 0 if steady else self.restarts + 1
            self.rest_until = now + (0.0 if steady else min(FIRST_REST_SECONDS * 2**self.restarts, MAX_REST_SECONDS))
            return False
        self.rest_until = 0.0
        self.start()
        return True

    def stop(self) -> None:
        """Ask it to end, wait, then insist."""
        if self.process is None or not self.alive:
            return
        self.process.terminate()
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Supervisor:
    """Starts parts in order, restarts those that die, ends them in reverse order."""

    parts: list[Part]
    on_change: Callable[[], None]
    stopping: bool = field(default=False, init=False)

    def pids(self) -> dict[str, int]:
        """The process id of each part, and of the supervisor."""
        found = {part.name: part.process.pid for part in self.parts if part.process}
        return {"supervisor": os.getpid(), **found}

    def watch(self, tell: Callable[[str], None]) -> None:
        """Look after the parts until `stopping`."""
        while not self.stopping:
            for part in self.parts:
                code = part.process.poll() if part.process else None
                if code is not None and part.rest_until == 0.0:
                    tell(f"{part.name} has ended with code {code}; starting it again (log: {part.log}).")
                if part.revive(time.monotonic()):
                    self.on_change()
            time.sleep(0.2)

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()
