"""The simulation's time: one course of it, and over it each machine's own monotonic clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from tests.tasks_app.factories import NOW


class VirtualClock:
    """Stands in for the module `time` where the code under test reads a clock. All clocks go equally fast."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.now = 0.0
        self._ahead = 0.0

    @property
    def database(self) -> datetime:
        """The database's clock."""
        return NOW + timedelta(seconds=self.now)

    def monotonic(self) -> float:
        """The clock of the machine whose code runs just now."""
        return self.now + self._ahead

    def clock_gettime(self, which: int) -> float:
        """The same, whichever clock is asked for."""
        return self.monotonic()

    @contextmanager
    def on_machine(self, ahead: float) -> Iterator[None]:
        """What runs within reads a clock that is so many seconds ahead."""
        before, self._ahead = self._ahead, ahead
        try:
            yield
        finally:
            self._ahead = before


clock = VirtualClock()
"""There is one simulation at a time."""
