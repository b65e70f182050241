"""A steady stream of runs, and a ledger that the scheduler never reads: the commands themselves write it."""

import threading
import time
import urllib.error
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

from tests.acceptance.harness import Stack
from tests.waiting import wait_until

COMMAND = 'printf "%s %s %s\\n" $SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT $(date +%s.%N) >> {ledger}; sleep {seconds}'


@dataclass
class Load:
    """Triggers runs, one about every `pause` seconds, until stopped; what is refused is tried again."""

    stack: Stack
    ledger: Path
    pause: float = 0.03
    seconds: float = 0.1
    accepted: dict[str, float] = field(default_factory=dict)
    """Run → when the client knew that it was accepted."""
    refused: int = 0

    def __post_init__(self) -> None:
        command = COMMAND.format(ledger=self.ledger, seconds=self.seconds)
        self.task = self.stack.task(command, name=f"load-{uuid4()}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self.pause):
            self._trigger(str(uuid4()))

    def _trigger(self, key: str) -> None:
        """Ask until a run is accepted, under one idempotency key."""
        while not self._stop.is_set():
            try:
                status, run = self.stack.request("POST", f"tasks/{self.task}/run/", {}, {"Idempotency-Key": key})
            except (urllib.error.URLError, HTTPException, OSError, ValueError):
                status, run = 0, {}
            if status == 202:
                self.accepted[run["id"]] = time.time()
                return
            self.refused += 1
            self._stop.wait(0.1)

    def goes_on(self, number: int) -> None:
        """Wait until so many further triggers have been answered, one way or the other."""
        seen = len(self.accepted) + self.refused
        wait_until(lambda: len(self.accepted) + self.refused >= seen + number, 60, "the load goes on")

    def starts(self) -> list[tuple[str, int, float]]:
        """Run, attempt and time of each start."""
        if not self.ledger.exists():
            return []
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [(run, int(attempt), float(moment)) for run, attempt, moment in lines]

    def started_since(self, moment: float) -> bool:
        """True once a run that was accepted after `moment` has started."""
        return any(self.accepted.get(run, 0.0) > moment for run, _, _ in self.starts())

    def settle(self, seconds: float = 60) -> None:
        """Wait until every accepted run has ended, and see that each did so once, and no attempt started twice."""
        wait_until(lambda: self._open() == 0, seconds, "every run has ended")
        counts = self.stack.counts(self.task)
        assert set(counts) == {"succeeded"}, counts
        # What the client was not told about may exist too; what it was told about must.
        ids = {run["id"] for run in self.stack.runs(self.task)}
        assert set(self.accepted) <= ids
        starts = Counter((run, attempt) for run, attempt, _ in self.starts())
        assert {run for run, _ in starts} == ids
        assert max(starts.values()) == 1

    def _open(self) -> int:
        page = self.stack.get(f"runs/?task={self.task}&status=pending&status=assigned&status=running&page_size=1")
        return len(page["results"])

    def longest_wait(self, backs: list[float]) -> float:
        """The longest time from acceptance, or from the moment a server was back, to a run's first start."""
        first: dict[str, float] = {}
        for run, _, moment in self.starts():
            first[run] = min(moment, first.get(run, moment))
        return max(
            moment - max([self.accepted[run], *(back for back in backs if back < moment)])
            for run, moment in first.items()
            if run in self.accepted
        )
