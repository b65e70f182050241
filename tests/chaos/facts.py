"""A history as the rules look at it: what belongs together is together."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from tests.chaos.history import History, Plan, Run, Submission
from tests.chaos.windows import Limits

Thing = TypeVar("Thing")
Key = TypeVar("Key", bound=Hashable)
FINAL = ("succeeded", "failed", "skipped", "cancelled")
OWN_FAILURES = ("error", "timeout")
"""Reasons of attempts that ended by themselves."""


class Execution(NamedTuple):
    """A start in the ledger, and its end if there is one."""

    run: str
    attempt: int
    worker: str
    parent: int
    start: float
    end: float | None


@dataclass
class Facts:
    """Derived from a history once, for all rules."""

    history: History
    limits: Limits

    @cached_property
    def final(self) -> dict[str, Run]:
        """Each run as it was seen last."""
        return self.history.final

    @cached_property
    def plans(self) -> dict[str, Plan]:
        return {plan.task: plan for plan in self.history.plans}

    @cached_property
    def scheduled(self) -> dict[str, list[Run]]:
        """Task → its runs made by the schedule, by nominal time."""
        runs = (run for run in self.final.values() if run.origin == "schedule")
        return grouped(sorted(runs, key=lambda run: run.nominal), lambda run: run.task)

    @cached_property
    def all_executions(self) -> list[Execution]:
        """In order of their starts."""
        ends = {(each.run, each.attempt, each.pid): each.at for each in self.history.ends}
        return [
            Execution(s.run, s.attempt, s.worker, s.parent, s.at, ends.get((s.run, s.attempt, s.pid)))
            for s in sorted(self.history.starts, key=lambda each: each.at)
        ]

    @cached_property
    def executions(self) -> dict[str, list[Execution]]:
        """Run → its executions, in order of their starts."""
        return grouped(self.all_executions, lambda each: each.run)

    @cached_property
    def known_executions(self) -> list[tuple[Run, list[Execution]]]:
        """The same, of runs that the API knows."""
        return [(self.final[run], found) for run, found in self.executions.items() if run in self.final]

    @cached_property
    def tries(self) -> dict[tuple[str, str], list[Submission]]:
        """Task and key → all requests made with it."""
        return grouped(self.history.submissions, lambda each: (each.task, each.key))

    @cached_property
    def sent(self) -> dict[str, float]:
        """Run → when it was first asked for. An unanswered request may be what made it."""
        found: dict[str, float] = {}
        for tries in self.tries.values():
            first = min(each.sent for each in tries)
            for each in tries:
                if each.run:
                    found[each.run] = min(first, found.get(each.run, first))
        return found

    @cached_property
    def due(self) -> dict[str, float]:
        """Run → its nominal time if the schedule made it, else when it was known to be accepted."""
        accepted: dict[str, float] = {}
        for each in self.history.submissions:
            if each.status == 202 and each.run:
                accepted[each.run] = min(each.answered, accepted.get(each.run, each.answered))
        return accepted | {run.id: run.nominal for runs in self.scheduled.values() for run in runs}

    def is_at_most_once(self, run: Run) -> bool:
        plan = self.plans.get(run.task)
        return plan is not None and plan.delivery == "at_most_once"


def own_failures(run: Run) -> set[int]:
    """The numbers of the attempts that the API says ended by themselves."""
    return {attempt.number for attempt in run.attempts if attempt.reason in OWN_FAILURES}


def grouped(things: Iterable[Thing], key: Callable[[Thing], Key]) -> dict[Key, list[Thing]]:
    """Lists of things with the same key, in their order."""
    groups: dict[Key, list[Thing]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return dict(groups)
