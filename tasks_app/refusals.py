"""Requests refused for want of a database, of room or of time: counted by kind, and logged without flooding the log."""

import logging
import threading
import time

from workers_app.events import events

logger = logging.getLogger(__name__)

LOG_SECONDS = 1.0
"""Each kind is logged at most so often."""

_lock = threading.Lock()
_logged: dict[str, float] = {}


def refuse(kind: str, text: str, *values: object) -> None:
    """Count a refusal among the `events`, and maybe log it: `text` with `values`, as `logging` takes them."""
    now = time.monotonic()
    with _lock:
        events[kind] += 1
        number = events[kind]
        if now - _logged.get(kind, -LOG_SECONDS) < LOG_SECONDS:
            return
        _logged[kind] = now
    logger.warning(f"{text} [{kind}, %d so far]", *values, number)
