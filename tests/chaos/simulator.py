"""A scheduler that keeps its promises in a world with faults: random histories with nothing wrong."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.builder import WORKERS, Builder
from tests.chaos.facts import OWN_FAILURES
from tests.chaos.history import Attempt, History
from tests.chaos.windows import DEFAULT, deadline

SECONDS, LEASE_SECONDS, MAX_ATTEMPTS = 60.0, 10.0, 3


def simulated(seed: int, faults: int, runs: int) -> History:
    """A history with so many faults, so many runs made by the schedule, and as many that were triggered."""
    return Simulator(Random(seed)).history(faults, runs)


@dataclass
class Simulator:
    """Decides by `choice` what happens when, within what is promised."""

    choice: Random
    told: Builder = field(default_factory=lambda: Builder(slots=1000))

    def history(self, faults: int, runs: int) -> History:
        every = self.choice.choice([0.5, 2.0, 10.0])
        self.told.plan("every", every, first=every, last=every * runs)
        self.told.plan("hand")
        self.told.plan("once", delivery="at_most_once")
        for _ in range(faults):
            self._fault()
        for number in range(1, runs + 1):
            self._scheduled(f"e{number}", number * every)
            self._triggered(f"t{number}", self.choice.choice(["hand", "once"]))
        return self.told.history

    def _fault(self) -> None:
        begin = self.choice.uniform(-20.0, SECONDS)
        end = begin + self.choice.uniform(1.0, 20.0)
        self.told.fault(begin, end, "kill_worker")
        for _ in range(self.choice.randrange(8)):
            self.told.kill(self.choice.uniform(begin, end), self.choice.choice(WORKERS))

    def _scheduled(self, run: str, nominal: float) -> None:
        if self.choice.random() < 0.1:
            self.told.see("every", run, "skipped", "missed", nominal=nominal)
        else:
            self._live("every", run, nominal, since=nominal, due=nominal)

    def _triggered(self, run: str, task: str) -> None:
        sent = self.choice.uniform(0.0, SECONDS)
        if self.choice.random() < 0.2:
            self.told.submit(task, None, sent, run, status=0)
            self.told.submit(task, run, sent + 1.0, run)
        else:
            self.told.submit(task, run, sent, run)
        if self.choice.random() < 0.1:
            self.told.see(task, run, "cancelled", "cancelled", worker="")
        else:
            self._live(task, run, None, since=sent, due=self.told.history.submissions[-1].answered)

    def _live(self, task: str, run: str, nominal: float | None, since: float, due: float) -> None:
        """The run is seen, starts in its window, is tried until it ends, and is seen again, twice."""
        self.told.see(task, run, "pending", nominal=nominal, seen=due)
        start = self.choice.uniform(since, deadline(due, self.told.history.faults, DEFAULT))
        attempt, start = self._attempt(run, 1, start)
        attempts = [attempt]
        while not (status := _outcome(task, attempts)):
            attempt, start = self._attempt(run, len(attempts) + 1, start)
            attempts.append(attempt)
        recorded = [each for each in attempts if each.reason]
        last: dict[str, Any] = {"attempt": attempt.number, "worker": attempt.worker, "attempts": recorded}
        for seen in (900.0, 1000.0):
            self.told.see(task, run, status, attempt.reason, nominal=nominal, seen=seen, **last)

    def _attempt(self, run: str, number: int, start: float) -> tuple[Attempt, float]:
        """What became of it (well, if there is no reason), and when the next one would start."""
        worker, seconds = self.choice.choice(WORKERS), self.choice.uniform(0.05, 3.0)
        kills = sorted(kill.at for kill in self.told.history.kills if kill.name == worker)
        killed = next((at for at in kills if start < at < start + seconds + 0.1), None)
        completes, reason, again = True, "", 0.0
        if killed is not None:
            # Killed right after the command's end: nobody heard of it.
            completes, reason, again = killed > start + seconds, "worker_lost", killed + LEASE_SECONDS
        elif self.choice.random() < 0.1:
            completes, reason, again = False, self.choice.choice(OWN_FAILURES), start + seconds
        parent = sum(at < start for at in kills)
        self.told.execute(run, start, seconds if completes else None, number, worker, parent)
        return Attempt(number, worker, reason), again + self.choice.uniform(0.0, DEFAULT.again_seconds)


def _outcome(task: str, attempts: list[Attempt]) -> str:
    """The final status after these attempts; none when there is to be another."""
    reasons = Counter(attempt.reason for attempt in attempts)
    if reasons[""]:
        return "succeeded"
    at_end = sum(reasons[reason] for reason in OWN_FAILURES) >= MAX_ATTEMPTS
    return "failed" if at_end or (task == "once" and reasons["worker_lost"]) else ""
