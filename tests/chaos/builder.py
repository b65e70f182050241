"""Histories told event by event, for tests of the checker; and how to spoil them."""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, TypeVar

from msgspec.structs import replace

from tests.chaos.history import Attempt, Begin, Ended, Fault, History, Kill, Plan, Run, Started, Submission

Thing = TypeVar("Thing", bound=Any)
WORKERS = ("worker-1", "worker-2")


class Builder:
    """Adds to `history` what it is told, consistent or not. All times are seconds."""

    def __init__(self, slots: int = 8) -> None:
        self.history = History(Begin(seed=0, offset=0.0, slots=dict.fromkeys(WORKERS, slots), lease_seconds=10.0))
        self._pids = count(1000)

    def plan(self, task: str, every: float | None = None, first: float = 0, last: float = 0, **values: Any) -> None:
        self.history.plans.append(Plan(task, every, first, last, **values))

    def fault(self, begin: float, end: float, name: str = "freeze") -> None:
        self.history.faults.append(Fault(name, "", begin, end))

    def kill(self, at: float, worker: str = "worker-1") -> None:
        self.history.kills.append(Kill("worker", worker, at))

    def submit(self, task: str, run: str | None, sent: float, key: str, status: int = 202) -> None:
        self.history.submissions.append(Submission(key, task, sent, sent + 0.01, status, run))

    def execute(
        self, run: str, start: float, seconds: float | None, attempt: int = 1, worker: str = "worker-1", parent: int = 1
    ) -> None:
        """An execution; without `seconds` it never comes to its end."""
        pid = next(self._pids)
        self.history.starts.append(Started(run, attempt, "", 0.0, worker, parent, pid, start))
        if seconds is not None:
            self.history.ends.append(Ended(run, attempt, pid, start + seconds))

    def see(
        self,
        task: str,
        run: str,
        status: str,
        reason: str = "",
        *,
        nominal: float | None = None,
        attempts: Iterable[Attempt] = (),
        seen: float = 1000.0,
        **values: Any,
    ) -> None:
        """The API shows the run; with a nominal time it was made by the schedule."""
        origin = "manual" if nominal is None else "schedule"
        given = {"attempt": 1, "worker": "" if status in ("skipped", "pending") else "worker-1"} | values
        run_ = Run(run, task, origin, nominal or 0.0, status, reason, seen=seen, attempts=list(attempts), **given)
        self.history.runs.append(run_)


def good() -> History:
    """A history of many kinds of runs, with nothing wrong.

    `every` is due at 10, 20, 30 and 40; `hand` is triggered, so is `once`, which is delivered at most once. A worker
    is killed at 20.5, in the only fault.
    """
    told = Builder()
    told.plan("every", 10.0, first=10.0, last=40.0)
    told.plan("hand")
    told.plan("once", delivery="at_most_once")
    told.fault(15.0, 25.0, "kill_worker")
    told.kill(20.5)
    lost = Attempt(1, "worker-1", "worker_lost")
    _every(told, lost)
    _hand(told, lost)
    _once(told, lost)
    return told.history


def _every(told: Builder, lost: Attempt) -> None:
    told.execute("e10", 10.2, 0.5)
    told.see("every", "e10", "succeeded", nominal=10.0)
    told.execute("e20", 20.1, None)
    told.execute("e20", 31.0, 0.5, attempt=2, worker="worker-2", parent=2)
    told.see("every", "e20", "succeeded", nominal=20.0, attempt=2, worker="worker-2", attempts=[lost])
    told.see("every", "e30", "skipped", "missed", nominal=30.0)
    told.execute("e40", 40.1, None)
    told.see("every", "e40", "failed", "error", nominal=40.0, attempts=[Attempt(1, "worker-1", "error")])


def _hand(told: Builder, lost: Attempt) -> None:
    told.submit("hand", None, 1.0, key="first", status=0)
    told.submit("hand", "h1", 2.0, key="first")
    told.see("hand", "h1", "pending", seen=2.1)
    told.execute("h1", 2.5, 1.0)
    told.see("hand", "h1", "succeeded", seen=500.0)
    told.see("hand", "h1", "succeeded")
    told.submit("hand", "h2", 20.2, key="second")
    told.execute("h2", 20.3, None)
    told.execute("h2", 31.0, 1.0, attempt=2, parent=3)
    told.see("hand", "h2", "succeeded", attempt=2, attempts=[lost])


def _once(told: Builder, lost: Attempt) -> None:
    told.submit("once", "o1", 50.0, key="first")
    told.execute("o1", 50.0, None, parent=3)
    told.execute("o1", 53.0, 1.0, attempt=2, parent=3)
    told.see("once", "o1", "succeeded", attempt=2, attempts=[Attempt(1, "worker-1", "error")])
    told.submit("once", "o2", 20.2, key="second")
    told.execute("o2", 20.4, None)
    told.see("once", "o2", "failed", "worker_lost", attempts=[lost])


def of(run: str, attempt: int | None = None) -> Callable[[Any], bool]:
    """Whether a line is about that run, and about that attempt if one is named."""

    def is_it(line: Any) -> bool:
        name = line.id if isinstance(line, Run) else line.run
        return name == run and (attempt is None or line.attempt == attempt)

    return is_it


def change(lines: list[Thing], where: Callable[[Thing], bool], **values: Any) -> None:
    """Give the lines that fit these values."""
    assert any(map(where, lines))
    lines[:] = [replace(line, **values) if where(line) else line for line in lines]


def move(lines: list[Thing], where: Callable[[Thing], bool], by: float) -> None:
    """Let the ledger's lines that fit be so much later."""
    lines[:] = [replace(line, at=line.at + by) if where(line) else line for line in lines]


def drop(lines: list[Thing], where: Callable[[Thing], bool]) -> None:
    """Leave out the lines that fit."""
    assert any(map(where, lines))
    lines[:] = [line for line in lines if not where(line)]
