"""Messages that nobody acted on: counted by reason, and logged without flooding the log."""

import logging
import time
from collections import Counter

logger = logging.getLogger(__name__)

LOG_SECONDS = 1.0
"""Each reason is logged at most so often."""

MALFORMED = (ValueError, TypeError, LookupError, AttributeError)
"""What kombu raises for something on a queue that is no message at all."""
dropped: Counter[str] = Counter()
"""How many, by reason, since this process started."""
_logged: dict[str, float] = {}


def drop(reason: str, detail: str) -> None:
    """Note a message that is not ours, not for us, or out of date."""
    dropped[reason] += 1
    now = time.monotonic()
    if now - _logged.get(reason, -LOG_SECONDS) >= LOG_SECONDS:
        _logged[reason] = now
        logger.warning("Dropped a message (%s, %d so far): %s", reason, dropped[reason], detail)
