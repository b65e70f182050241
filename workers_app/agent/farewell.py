"""An orderly end, step by step, whatever becomes of the connection to the broker meanwhile."""

import logging
import time

from workers_app.agent.attempts import Attempts
from workers_app.agent.reporter import Reporter

logger = logging.getLogger(__name__)

HAND_BACK_SECONDS = 15.0
"""What is ended when the grace is over has so long to be gone and handed back."""


class Farewell:
    """From the word to stop on: nothing new is taken, and what runs may end within `grace_seconds`."""

    def __init__(self, attempts: Attempts, reporter: Reporter, grace_seconds: float, exitcode: int) -> None:
        self.exitcode = exitcode
        self._attempts = attempts
        self._reporter = reporter
        self._deadline = time.monotonic() + grace_seconds
        self._handing_back = self._over = False
        attempts.closed = True
        logger.info("Stopping; %d attempts have %g s to end.", len(attempts.held), grace_seconds)

    def is_over(self) -> bool:
        """Whether all has ended and been told, or has had its time. Asked often: it ends what has had its grace."""
        self._over = self._over or self._look()
        return self._over

    def _look(self) -> bool:
        if not self._attempts.held and self._reporter.idle:
            return True
        if time.monotonic() < self._deadline:
            return False
        if self._handing_back:
            logger.warning("Stopping though the dispatchers were not told of all that ran here.")
            return True
        self._handing_back = True
        self._deadline = time.monotonic() + HAND_BACK_SECONDS
        self._attempts.stop(list(self._attempts.held), "shutdown")
        return False
