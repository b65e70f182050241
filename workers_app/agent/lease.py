"""Until when this incarnation may act, on this machine's monotonic clock."""

import time
from uuid import UUID, uuid4

MARGIN_SECONDS = 1.0
"""The worker takes its lease as ended so much earlier than the dispatcher does."""


class Incarnation:
    """One life of the worker under one boot id. It ends with its lease; a new one begins with a new id."""

    def __init__(self) -> None:
        self.boot: UUID = uuid4()
        self.seq = 0
        self._sent: dict[int, float] = {}
        self._until: float | None = None

    def next_heartbeat(self) -> int:
        """The number of a heartbeat about to be sent: a lease counts from here."""
        self.seq += 1
        self._sent[self.seq] = time.monotonic()
        self._sent.pop(self.seq - 100, None)
        return self.seq

    def grant(self, seq: int, seconds: float) -> None:
        """The dispatcher answered heartbeat `seq`. Too late is never: what ran has been ended already."""
        if not self.ended and (sent := self._sent.get(seq)):
            self._until = max(self._until or 0.0, sent + seconds - MARGIN_SECONDS)

    @property
    def may_act(self) -> bool:
        """A lease has been granted and has not ended."""
        return self._until is not None and time.monotonic() < self._until

    @property
    def ended(self) -> bool:
        """A lease was granted once, and has run out."""
        return self._until is not None and time.monotonic() >= self._until
