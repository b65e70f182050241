"""What a run needs to pass a gate."""

from __future__ import annotations

from dataclasses import dataclass

PASS, ATTEMPT, RUN, WINDOW, ONCE = "pass", "attempt", "run", "window", "once"
"""How long a run takes what it needs: for one pass of assigning only, as long as its attempt is active, until the run
has ended, for a time, or for a time whatever attempts it has meanwhile."""
WAIT, SKIP, REPLACE = "wait", "skip", "replace"
"""What becomes of a run that cannot have it: it waits, is skipped, or cancels the oldest that has it and waits."""


@dataclass(frozen=True, slots=True)
class Need:
    """So much of something of which there is only so much."""

    key: str
    """What it is: the gate's name, a colon, and which one. Where a run waits, it waits at this key."""
    most: int
    """May be taken by all runs together; 0: it is shut."""
    takes: int = 1
    """By this run."""
    lasts: str = PASS
    seconds: float = 0.0
    """How long it is taken, where that is a time."""
    otherwise: str = WAIT
    queue: int | None = None
    """At most so many wait; who comes later is skipped."""

    @property
    def gate(self) -> str:
        """The gate's name."""
        return self.key.partition(":")[0]

    @property
    def counted(self) -> bool:
        """What is taken is kept in the database, for all dispatchers to see."""
        return self.lasts != PASS
