"""Until when this incarnation may act, and what time it is for the database: both on this machine's steady clock."""

import time
from uuid import UUID, uuid4

MARGIN_SECONDS = 1.0
"""The worker takes its lease as ended so much earlier than the dispatcher does."""
KNOWN_SECONDS = 5.0
"""So long after the last lease we know what time it is. Somebody may have set the database's clock, and then what we
say would be dated wrongly and what we hear would seem out of date, for ever."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds on a clock that nobody sets, and that (on Linux) goes on while the machine is suspended: a lease does."""
    return time.clock_gettime(_CLOCK)


class DatabaseClock:
    """The database's time as far as leases have told it; never ahead of it."""

    def __init__(self) -> None:
        self._behind = 0.0
        self._known_until = 0.0

    def told(self, now: float) -> None:
        """A lease that was written at `now` has come in."""
        self._behind = now - steady()
        self._known_until = steady() + KNOWN_SECONDS

    @property
    def now(self) -> float | None:
        """Seconds since 1970; None before the first lease, and when the last one came long ago."""
        return self._behind + steady() if steady() < self._known_until else None


class Incarnation:
    """One life of the worker under one boot id. It ends with its lease; a new one begins with a new id."""

    def __init__(self, after: UUID | None = None) -> None:
        self.boot: UUID = uuid4()
        self.after = after
        self.seq = 0
        self._answered = 0
        self._sent: dict[int, float] = {}
        self._until: float | None = None

    def next_heartbeat(self) -> int:
        """The number of a heartbeat about to be sent: a lease counts from here."""
        self.seq += 1
        self._sent[self.seq] = steady()
        self._sent.pop(self.seq - 100, None)
        return self.seq

    def grant(self, seq: int, seconds: float) -> bool:
        """The dispatcher answered heartbeat `seq`; False if that is too late: what ran has been ended already."""
        sent = self._sent.get(seq)
        until = (sent or 0.0) + seconds - MARGIN_SECONDS
        if self.ended or sent is None or until <= steady():
            return False
        self._answered = max(self._answered, seq)
        self._until = max(self._until or 0.0, until)
        return True

    @property
    def unanswered(self) -> int:
        """How many heartbeats have been sent since the last one that was answered."""
        return self.seq - self._answered

    @property
    def seconds_left(self) -> float:
        """So long this incarnation may act."""
        return max(0.0, (self._until or 0.0) - steady())

    @property
    def may_act(self) -> bool:
        """A lease has been granted and has not ended."""
        return self._until is not None and steady() < self._until

    @property
    def ended(self) -> bool:
        """A lease was granted once, and has run out."""
        return self._until is not None and steady() >= self._until
