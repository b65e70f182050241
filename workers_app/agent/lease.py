"""Until when this incarnation may act, and what time it is for the database: both on this machine's monotonic clock."""

import time
from uuid import UUID, uuid4

MARGIN_SECONDS = 1.0
"""The worker takes its lease as ended so much earlier than the dispatcher does."""


class DatabaseClock:
    """The database's time as far as leases have told it; never ahead of it."""

    def __init__(self) -> None:
        self._behind: float | None = None

    def told(self, now: float) -> None:
        """A lease that was written at `now` has come in."""
        self._behind = now - time.monotonic()

    @property
    def now(self) -> float | None:
        """Seconds since 1970; None before the first lease."""
        return None if self._behind is None else self._behind + time.monotonic()


class Incarnation:
    """One life of the worker under one boot id. It ends with its lease; a new one begins with a new id."""

    def __init__(self, after: UUID | None = None) -> None:
        self.boot: UUID = uuid4()
        self.after = after
        self.seq = 0
        self._sent: dict[int, float] = {}
        self._until: float | None = None

    def next_heartbeat(self) -> int:
        """The number of a heartbeat about to be sent: a lease counts from here."""
        self.seq += 1
        self._sent[self.seq] = time.monotonic()
        self._sent.pop(self.seq - 100, None)
        return self.seq

    def grant(self, seq: int, seconds: float) -> bool:
        """The dispatcher answered heartbeat `seq`; False if that is too late: what ran has been ended already."""
        sent = self._sent.get(seq)
        until = (sent or 0.0) + seconds - MARGIN_SECONDS
        if self.ended or sent is None or until <= time.monotonic():
            return False
        self._until = max(self._until or 0.0, until)
        return True

    @property
    def may_act(self) -> bool:
        """A lease has been granted and has not ended."""
        return self._until is not None and time.monotonic() < self._until

    @property
    def ended(self) -> bool:
        """A lease was granted once, and has run out."""
        return self._until is not None and time.monotonic() >= self._until
