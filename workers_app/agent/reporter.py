"""Reports on their way to the dispatcher: kept until the broker has taken them, sent in batches."""

from collections import deque
from collections.abc import Callable
from uuid import UUID

from kombu import Producer

from workers_app.messaging import broker
from workers_app.messaging.protocol import INBOX, Report, Reports

BATCH = 200


class Reporter:
    """`add` from any thread; `flush` in the main thread."""

    def __init__(self, boot: UUID, wake: Callable[[], None]) -> None:
        self.boot = boot
        self._wake = wake
        self._waiting: deque[Report] = deque()
        self._awake = False

    def add(self, report: Report) -> None:
        """Queue a report and have it sent soon; many that come together go together."""
        self._waiting.append(report)
        if not self._awake:
            self._awake = True
            self._wake()

    def flush(self, producer: Producer | None) -> None:
        """Send all that waits; a report leaves the buffer only when the broker has it. Raises its errors."""
        self._awake = False
        while self._waiting and producer:
            batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
            broker.publish(producer, Reports(self.boot, batch), INBOX)
            for _ in batch:
                self._waiting.popleft()

    def forget(self, boot: UUID) -> None:
        """A new incarnation begins: what the old one had to say is of no use any more."""
        self.boot = boot
        self._waiting.clear()
