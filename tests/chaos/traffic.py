"""What users do meanwhile: plan tasks, trigger runs, look at them; all of it is written down."""

import sys
import threading
import time
import urllib.error
from datetime import datetime
from functools import partial
from http.client import HTTPException
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.acceptance.harness import Stack
from tests.chaos import history
from tests.chaos.history import Recorder
from tests.waiting import wait_until

LEDGER = Path(__file__).with_name("ledger.py")
FAILURES = (urllib.error.URLError, HTTPException, OSError, ValueError)
"""What a client may meet when a server is killed."""
THREADS = 4
REQUEST_SECONDS = 10.0
AGAIN_SECONDS = 0.2
LOOK_SECONDS = 1.0
LAST_SECONDS = 3.0
"""What is due so shortly before its schedule is taken away may or may not be fired still."""
OPEN = "status=pending&status=assigned&status=running"

MANUAL = {
    "short": {"seconds": 0.1},
    "long": {"seconds": 4.0},
    "once": {"seconds": 1.0, "delivery": "at_most_once"},
    "longer": {"seconds": 15.0},
    "middling": {"seconds": 7.0},
    "middling-once": {"seconds": 7.0, "delivery": "at_most_once"},
    "longest": {"seconds": 20.0},
}
ORDER = ("short", "long", "once") * 3 + ("longer",)
"""In which they are triggered, unless a pass has another order; one outlives a lease."""
ENDLESS = "endless"
"""Runs of this task are cancelled."""
ENDLESS_SECONDS = 300.0
CANCEL_EVERY, CANCEL_AFTER = 1.0, 3.0
"""Seconds: one is triggered so long after the last was cancelled, and cancelled so much later."""
SCHEDULED = {
    "second": {"seconds": 0.1, "every": 1},
    "two-seconds": {"seconds": 1.5, "every": 2},
    "two-seconds-once": {"seconds": 0.5, "every": 2, "delivery": "at_most_once"},
}


class Traffic:
    """A steady stream of triggers beside scheduled tasks, until `stop`; what is refused is asked for again."""

    def __init__(self, stack: Stack, recorder: Recorder, rate: float, order: tuple[str, ...] = ORDER) -> None:
        """`rate`: triggers a second; `order`: of which tasks, one after the other."""
        self._stack = stack
        self._recorder = recorder
        self._order = order
        self._pause = THREADS / rate
        self._end = threading.Event()
        self._ids: dict[str, int] = {}
        self._plans: list[history.Plan] = []
        self._names: dict[int, str] = {}
        self._known: dict[str, tuple[Any, ...]] = {}
        clients = {f"client-{n}": partial(self._work, n) for n in range(THREADS)}
        works = clients | {"watcher": self._watch, "canceller": self._cancel_some}
        # A pass that is broken off does not wait for them.
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works.items()]

    def begin(self) -> None:
        """Define the tasks and start the stream."""
        for name, about in (MANUAL | SCHEDULED | {ENDLESS: {"seconds": ENDLESS_SECONDS}}).items():
            self._define(name, **about)
        for thread in self._threads:
            thread.start()

    def _define(self, name: str, seconds: float, every: int | None = None, delivery: str = "at_least_once") -> None:
        config = {"args": ["-I", "-S", str(LEDGER), str(self._recorder.ledger), str(seconds)]}
        cron = {1: "* * * * * *"}.get(every or 0, f"*/{every} * * * * *") if every else ""
        task = self._stack.task(sys.executable, name=name, config=config, schedule=cron, delivery=delivery)
        self._ids[name], self._names[task] = task, name
        # The second in which it was defined may or may not be its first.
        self._plans.append(history.Plan(name, every, self._recorder.now() + 2, 0.0, delivery))

    def stop(self) -> None:
        """No more triggers, no more fires."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        last = self._recorder.now()
        for plan in self._plans:
            self._recorder.add(history.Plan(plan.task, plan.every, plan.first, last - LAST_SECONDS, plan.delivery))
            if plan.every:
                wait_until(partial(self._unplan, self._ids[plan.task]), 60, "the schedule is taken away")

    def _unplan(self, task: int) -> bool:
        try:
            return self._stack.request("PATCH", f"tasks/{task}/", {"schedule": ""}, seconds=REQUEST_SECONDS)[0] == 200
        except FAILURES:
            return False

    def _work(self, number: int) -> None:
        names = cycle(self._order[number:] + self._order[:number])
        while not self._end.wait(self._pause):
            self._trigger(next(names), str(uuid4()))

    def _cancel_some(self) -> None:
        while not self._end.wait(CANCEL_EVERY):
            run = self._trigger(ENDLESS, str(uuid4()))
            self._end.wait(CANCEL_AFTER)
            while run and not self._cancel(run):
                time.sleep(AGAIN_SECONDS)

    def _cancel(self, run: str) -> bool:
        """Whether the API has taken note, or the run has ended already."""
        sent = self._recorder.now()
        try:
            status, _ = self._stack.request("POST", f"runs/{run}/cancel/", seconds=REQUEST_SECONDS)
        except FAILURES:
            status = 0
        self._recorder.add(history.Cancel(run, sent, self._recorder.now(), status))
        return status in (202, 409)

    def _trigger(self, name: str, key: str) -> str | None:
        """Ask until the run is accepted, under one idempotency key."""
        while not self._end.is_set():
            sent = self._recorder.now()
            try:
                path, headers = f"tasks/{self._ids[name]}/run/", {"Idempotency-Key": key}
                status, body = self._stack.request("POST", path, {}, headers, REQUEST_SECONDS)
            except FAILURES:
                status, body = 0, None
            run = body["id"] if status == 202 else None
            self._recorder.add(history.Submission(key, name, sent, self._recorder.now(), status, run))
            if run:
                return str(run)
            self._end.wait(AGAIN_SECONDS)
        return None

    def _watch(self) -> None:
        """Look at the newest runs again and again."""
        while not self._end.wait(LOOK_SECONDS):
            try:
                status, body = self._stack.request("GET", "runs/?page_size=200", seconds=REQUEST_SECONDS)
            except FAILURES:
                continue
            if status == 200:
                self._see(body["results"])

    def _see(self, runs: list[dict[str, Any]]) -> None:
        for run in runs:
            state = (run["status"], run["reason"], run["attempt"])
            if self._known.get(run["id"]) != state:
                self._known[run["id"]] = state
                self._recorder.add(self._line(run))

    def _line(self, run: dict[str, Any]) -> history.Run:
        return history.Run(
            id=run["id"],
            task=self._names[run["task"]],
            origin=run["origin"],
            nominal=_seconds(run["scheduled_for"]),
            status=run["status"],
            reason=run["reason"],
            attempt=run["attempt"],
            worker=run["worker"] or "",
            seen=self._recorder.now(),
            attempts=[
                history.Attempt(each["attempt"], each["worker"] or "", each["reason"])
                for each in run.get("attempts", [])
            ],
        )

    def open_runs(self) -> int:
        """How many runs have not ended (one page of them)."""
        return len(self._stack.get(f"runs/?{OPEN}&page_size=500")["results"])

    def read_all(self) -> None:
        """The final read: every run, with its attempts where it had any that did not end well."""
        for task in self._names:
            for run in self._stack.runs(task):
                has_attempts = run["attempt"] > 1 or run["status"] in ("failed", "cancelled")
                self._recorder.add(self._line(self._stack.get(f"runs/{run['id']}/") if has_attempts else run))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
