"""Messages that nobody acted on: counted by reason, and logged without flooding the log."""

import logging

from workers_app.events import Tally

logger = logging.getLogger(__name__)

MALFORMED = (ValueError, TypeError, LookupError, AttributeError)
"""What kombu raises for something on a queue that is no message at all."""
_tally = Tally()
dropped = _tally.counts
"""How many, by reason, since this process started."""


def drop(reason: str, detail: str) -> None:
    """Note a message that is not ours, not for us, or out of date."""
    number = _tally.add(reason)
    if _tally.is_worth_a_line(reason):
        logger.warning("Dropped a message (%s, %d so far): %s", reason, number, detail)
