"""Whether what the broker has for us reaches us: asked by a message to ourselves when nobody says anything.

A connection can look well and deliver nothing any more: half-open, or with a consumer that the broker has forgotten.
Nothing but an echo tells that from others that are away.
"""

import time

DEAF_SECONDS = 2.0
"""An echo that has not come by then will not come."""
DEAF_TIMES = 5
"""So many connections in a row that took an echo and did not deliver it: then it is this process that is ill."""


class Hearing:
    """One echo at a time. One thread only."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._asked: float | None = None
        self._accepted = False
        self._deaf_times = 0

    def reconnected(self) -> None:
        """A new connection: what was asked on the old one is void."""
        self._last = time.monotonic()
        self._asked, self._accepted = None, False

    def heard(self) -> None:
        """Something has come."""
        self._last = time.monotonic()
        self._asked, self._accepted, self._deaf_times = None, False, 0

    @property
    def silence(self) -> float:
        """Seconds since something came, or the connection was made."""
        return time.monotonic() - self._last

    def ask(self) -> bool:
        """Whether an echo should be sent now: there is none under way."""
        if self._asked is not None:
            return False
        self._asked = time.monotonic()
        return True

    def accepted(self) -> None:
        """The broker has the echo."""
        self._accepted = True

    def is_deaf(self) -> bool:
        """Whether an echo is overdue; to be asked once, as the connection is given up then."""
        if self._asked is None or time.monotonic() - self._asked < DEAF_SECONDS:
            return False
        self._deaf_times += self._accepted
        return True

    @property
    def is_ill(self) -> bool:
        """Connection after connection took an echo and did not deliver it."""
        return self._deaf_times >= DEAF_TIMES
