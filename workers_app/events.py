"""What went otherwise than planned: counted by kind, each with a line in the log, or a line now and then."""

import logging
import threading
import time
from collections import Counter

logger = logging.getLogger(__name__)

LOG_SECONDS = 1.0
"""Of what comes in floods each kind is logged at most so often."""


class Tally:
    """How many of each kind there were since this process started; for any thread."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}

    def add(self, kind: str) -> int:
        """Count one; return how many there are now."""
        with self._lock:
            self.counts[kind] += 1
            return self.counts[kind]

    def is_worth_a_line(self, kind: str) -> bool:
        """Whether it is long enough since the last time this was true for `kind`."""
        now = time.monotonic()
        with self._lock:
            if now - self._logged.get(kind, -LOG_SECONDS) < LOG_SECONDS:
                return False
            self._logged[kind] = now
            return True


_tally = Tally()
events = _tally.counts
"""How many, by kind."""


def note(kind: str, text: str, *values: object) -> None:
    """Count an event, and log it: `text` with `values`, as `logging` takes them."""
    _tally.add(kind)
    logger.warning(f"{text} [{kind}]", *map(_said, values))


def _said(value: object) -> object:
    """Many an error has no text, and its name says all."""
    return repr(value) if isinstance(value, Exception) and not str(value) else value


def note_often(kind: str, text: str, *values: object) -> None:
    """The same for what may come in floods: all are counted, and one of a kind is logged in `LOG_SECONDS`."""
    number = _tally.add(kind)
    if _tally.is_worth_a_line(kind):
        logger.warning(f"{text} [{kind}, %d so far]", *map(_said, values), number)
