"""What went otherwise than planned and was put right: counted by kind, each with a line in the log."""

import logging
from collections import Counter

logger = logging.getLogger(__name__)

events: Counter[str] = Counter()
"""How many, by kind, since this process started."""


def note(kind: str, text: str, *values: object) -> None:
    """Count an event, and log it: `text` with `values`, as `logging` takes them."""
    events[kind] += 1
    logger.warning(f"{text} [{kind}]", *values)
