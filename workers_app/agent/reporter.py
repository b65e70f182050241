"""Reports on their way to the dispatcher: kept until the broker has them, sent in batches."""

import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

from workers_app.agent.backlog import Backlog
from workers_app.messaging.protocol import Finished, Report, Reports
from workers_app.messaging.sender import Sender

BATCH = 200
BATCH_BYTES = 512 * 1024
GATHER_SECONDS = 0.005
GATHER_SECONDS_EACH, GATHER_SECONDS_MOST = 0.0005, 0.05
"""Reports wait for others, the longer the more there were lately: one message with many costs all sides less."""
CONFIRM_SECONDS = 10.0
"""What the broker has not confirmed by then is sent again; coming twice does no harm."""
UNCONFIRMED = 20
"""With so many batches unconfirmed nothing more is sent: a broker that does not keep up gets no more to keep."""


class Reporter:
    """`add` from any thread; everything else in the main thread."""

    def __init__(self, boot: UUID, wake: Callable[[], None]) -> None:
        self.boot = boot
        self._wake = wake
        self._waiting = Backlog()
        self._unconfirmed: dict[int, tuple[float, list[Report]]] = {}
        self._batches = 0
        self._lately = 0
        self._awake = False

    def add(self, report: Report) -> None:
        """Queue a report and have it sent soon; many that come together go together."""
        self._waiting.add(report)
        if not self._awake:
            self._awake = True
            self._wake()

    @property
    def gather_seconds(self) -> float:
        """So long a report may wait for others before all are flushed."""
        return min(GATHER_SECONDS + GATHER_SECONDS_EACH * self._lately, GATHER_SECONDS_MOST)

    def flush(self, sender: Sender | None, now: float | None) -> None:
        """Send all that waits. Raises the connection's errors; then what was not sent stays."""
        self._awake = False
        self._lately = len(self._waiting)
        self._take_back(time.monotonic() - CONFIRM_SECONDS)
        while sender and len(self._unconfirmed) < UNCONFIRMED and (batch := self._waiting.batch(BATCH, BATCH_BYTES)):
            self._batches += 1
            self._unconfirmed[self._batches] = (time.monotonic(), batch)
            sender.to_dispatchers(Reports(self.boot, batch), now, partial(self._arrived, self._batches))

    def _arrived(self, batch: int) -> None:
        self._unconfirmed.pop(batch, None)
        if self._waiting and not self._awake:
            self._awake = True
            self._wake()

    def reconnected(self) -> None:
        """What the old connection did not confirm may be lost: it goes again over the new one."""
        self._take_back(time.monotonic())

    def _take_back(self, sent_before: float) -> None:
        for number in [n for n, (sent, _) in reversed(self._unconfirmed.items()) if sent <= sent_before]:
            self._waiting.take_back(self._unconfirmed.pop(number)[1])

    @property
    def idle(self) -> bool:
        """The broker has everything."""
        return not self._waiting and not self._unconfirmed

    def forget(self, boot: UUID) -> None:
        """A new incarnation begins. Of what the old one had to say, only how attempts ended may still be of use.

        Where a run has not been given to another worker yet, it need not be done again.
        """
        self.boot = boot
        self._take_back(time.monotonic())
        self._waiting.keep_only(Finished)
