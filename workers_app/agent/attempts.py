"""The attempts this incarnation holds, has seen, and remembers the end of. Main thread only."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from executors.base import AT_ONCE
from workers_app.agent.pool import Job
from workers_app.agent.request import AttemptRequest
from workers_app.messaging.dropped import drop
from workers_app.messaging.protocol import Assignment, AttemptKey, Finished, Report, Returned

SEEN = 50_000
"""So many runs are remembered, so that an assignment that comes twice starts nothing."""


@dataclass(slots=True)
class Held:
    """An attempt that runs here."""

    request: AttemptRequest
    job: Job


class Attempts:
    """Decides what starts; `start` runs a coroutine on the pool, `report` sends word to the dispatcher."""

    def __init__(
        self,
        slots: int,
        start: Callable[[Assignment, Callable[[Finished], None]], Job],
        request: Callable[[Assignment, Callable[[], None]], AttemptRequest],
        report: Callable[[Report], None],
    ) -> None:
        self.held: dict[AttemptKey, Held] = {}
        self.closed = False
        self._slots = slots
        self._start = start
        self._request = request
        self._report = report
        self._seen: OrderedDict[UUID, int] = OrderedDict()
        self._ended: OrderedDict[AttemptKey, Report] = OrderedDict()

    def take(self, assignment: Assignment) -> None:
        """Start an attempt, unless it or a later one of its run has been seen before."""
        key = assignment.key
        if not self._is_new(key):
            drop("old_attempt", f"run {key.run} attempt {key.attempt}: this or a later one has been here before")
            return
        if self.closed or len(self.held) >= self._slots:
            self._give_back(key, "shutdown" if self.closed else "full")
            return
        request = self._request(assignment, lambda: self.stop([key], "cancelled"))
        self.held[key] = Held(request, self._start(assignment, self._finished))
        request.begin()

    def _is_new(self, key: AttemptKey) -> bool:
        if self._seen.get(key.run, 0) >= key.attempt:
            return False
        self._seen[key.run] = key.attempt
        self._seen.move_to_end(key.run)
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        return True

    def _finished(self, report: Finished) -> None:
        held = self.held.pop(report.key, None)
        if held is None:
            return
        if report.reason in ("shutdown", "unable"):
            self._give_back(report.key, report.reason, begun=report.reason == "shutdown")
        elif report.reason != AT_ONCE:
            self._say(report.key, report)
        # Last, as it may find the connection broken.
        held.request.end(report.error)

    def _say(self, key: AttemptKey, report: Report) -> None:
        self._ended[key] = report
        if len(self._ended) > max(1000, 2 * self._slots):
            self._ended.popitem(last=False)
        self._report(report)

    def _give_back(self, key: AttemptKey, reason: str, *, begun: bool = False) -> None:
        self._say(key, Returned(key, reason, begun))

    def explain(self, keys: Iterable[AttemptKey]) -> None:
        """The dispatcher asks after attempts we do not hold: say how they ended, or that they will never run here."""
        for key in keys:
            if key in self._ended:
                self._report(self._ended[key])
            elif key not in self.held:
                # Seen, and neither held nor remembered: it ended here so long ago that nobody knows how.
                self._give_back(key, "undelivered", begun=not self._is_new(key))

    def stop(self, keys: Iterable[AttemptKey], why: str) -> None:
        """End those of `keys` that are held; they report when gone. `why`: cancelled, shutdown or `AT_ONCE`."""
        for key in keys:
            if held := self.held.get(key):
                held.job.cancel(why)

    def forget(self) -> None:
        """A new incarnation begins: nothing that ran before is ours any more."""
        self.stop(list(self.held), AT_ONCE)
        self._ended.clear()
