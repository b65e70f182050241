"""Which ready runs get a free slot: the urgent and the older first, each namespace its share, through all gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count

from access_app.models import Namespace
from tasks_app.dispatch.matching import demand_of
from tasks_app.dispatch.permits import Permits
from tasks_app.dispatch.stop import stop
from tasks_app.gates import FIELDS, Need, World, needs
from tasks_app.models import ACTIVE, Task, TaskRun
from tasks_app.shares import Claimant, shares
from tasks_app.sharing import Tasks
from tasks_app.sql import claimed
from workers_app.balance import REMEMBERING, Candidate, Use, Wish, choose
from workers_app.events import note_often

BATCH = 500
"""Runs assigned in one pass."""
REMEMBERED = 200
"""Runs of a task, to tell which workers it has used."""
LOOKED_AT = 2000
"""Runs looked at in one pass, though gates stop most of them."""
BUSY = 200
"""Runs that one should look at again, after which one does so rather than look at more."""

OF_TASK = sorted({"name", "executor", "command", "config", "timeout_seconds", "strategy", "preferred_labels", *FIELDS})
OF_RUN = ("task", "attempt", "placement", "params", "scheduled_for", "priority", "available_at", "gate", "fan_out")
"""What gates ask and an assignment says: the rest of run and task stays where it is."""


class Giving:
    """One pass over the ready runs; made and used inside its transaction."""

    def __init__(self, now: datetime, world: World, offers: dict[str, list[Candidate]], slots: int) -> None:
        """`offers`: by placement, the workers with free slots for it; `slots`: so many are free in all."""
        self._now = now
        self._world = world
        self._offers = {placement: able for placement, able in offers.items() if able}
        self._spaces = {placement: demand_of(placement).namespace for placement in self._offers}
        """The namespace of each placement of which not all has been looked at."""
        self._left = min(slots, BATCH)
        self._weights = self._active = Counter[int]()
        if len(set(self._spaces.values())) > 1:
            self._weights, self._active = _weights(self._spaces.values()), _active()
        self._seen: list[UUID] = []
        self._tasks = Tasks(OF_TASK)
        self._uses: dict[int, dict[int, Use]] = {}
        """Of tasks whose strategy needs to know, what each worker has had of them."""
        self._busy = 0
        self._stopping = False
        self._lacking = len(self._offers) < len(offers)
        self._permits = Permits(now)
        self.choices: list[tuple[TaskRun, int]] = []
        """Each run with the worker it gets."""
        self.spread: list[TaskRun] = []
        """Runs that fan out: they take no slot."""
        self.again = False
        """There may be more to give: one should look again soon."""

    def give(self) -> None:
        """Choose runs, and stop those that gates hold up, until no slot is left, or nothing ready that could use it."""
        while self._left > 0 and self._spaces:
            if len(self._seen) >= LOOKED_AT or self._busy >= BUSY:
                self.again = True
                return
            self._round()

    def store(self, moved: set[UUID]) -> None:
        """Keep what the runs that really were assigned have taken."""
        self._permits.store(moved)

    @property
    def starved(self) -> bool:
        """Ready runs may be left, for want of a free slot."""
        return self._left <= 0 or self._lacking

    def _round(self) -> None:
        quotas = self._quotas()
        ready: dict[int, list[TaskRun]] = {}
        for placement, space in list(self._spaces.items()):
            wanted = quotas[space] and (BATCH if self._stopping else quotas[space])
            runs = self._claim(placement, wanted)
            ready.setdefault(space, []).extend(runs)
            if len(runs) < wanted:
                del self._spaces[placement]
        self._through_gates(_in_turn(ready, quotas), quotas)

    def _quotas(self) -> dict[int, int]:
        """How many slots each namespace may get of those that are left."""
        spaces = set(self._spaces.values())
        if len(spaces) == 1:
            return dict.fromkeys(spaces, self._left)
        return shares(self._left, {each: Claimant(self._active[each], self._weights[each] or 1) for each in spaces})

    def _claim(self, placement: str, number: int) -> list[TaskRun]:
        if not number:
            return []
        ready = TaskRun.objects.filter(status="pending", gate="", placement=placement, available_at__lte=self._now)
        if self._seen:
            ready = ready.exclude(pk__in=self._seen)
        runs = list(claimed(ready.order_by("-priority", "available_at", "id").only(*OF_RUN))[:number])
        self._tasks.of(runs)
        self._seen += [run.pk for run in runs]
        return runs

    def _through_gates(self, runs: list[TaskRun], quotas: dict[int, int]) -> None:
        self._permits.consider((run, needs(run, self._world)) for run in runs)
        for task in {run.task_id for run in runs if run.task.strategy in REMEMBERING} - set(self._uses):
            self._uses[task] = _uses(task)
        shut: list[tuple[TaskRun, Need]] = []
        for run in runs:
            space = demand_of(run.placement).namespace
            if quotas[space] <= 0 and not run.fans_out:
                continue
            if need := self._permits.shut(run):
                shut.append((run, need))
            elif run.fans_out:
                self._spread(run)
            elif self._give(run):
                quotas[space] -= 1
        if shut:
            self._stopping = True
            stop(shut, self._now)

    def _spread(self, run: TaskRun) -> None:
        if self._permits.busy(run):
            self._busy += 1
            self.again = True
            return
        self._permits.take(run)
        self.spread.append(run)

    def _give(self, run: TaskRun) -> bool:
        if self._permits.busy(run):
            self._busy += 1
            self.again = True
            return False
        task = run.task
        wish = Wish(str(task.pk), str(run.pk), run.attempt, self._uses.get(task.pk, {}))
        worker = _chosen(task, self._offers[run.placement], wish)
        if worker is None:
            self._spaces.pop(run.placement, None)
            self._lacking = True
            return False
        self._permits.take(run)
        self._remember(task.pk, worker)
        worker.free -= 1
        # Turns are told apart by their number: all choices of one pass are of the same moment.
        worker.last_assigned = self._now.timestamp() + 1e-6 * (len(self.choices) + 1)
        self._left -= 1
        self._active[demand_of(run.placement).namespace] += 1
        self.choices.append((run, worker.id))
        return True

    def _remember(self, task: int, worker: Candidate) -> None:
        if task in self._uses:
            before = self._uses[task].get(worker.id, Use())
            self._uses[task][worker.id] = Use(before.runs + 1, self._now.timestamp() + 1e-6 * len(self.choices))


def _chosen(task: Task, able: list[Candidate], wish: Wish) -> Candidate | None:
    """A strategy of somebody's package that is missing here, or goes wrong, holds up nothing."""
    try:
        return choose(task.strategy, able, wish, task.preferred_labels)
    except Exception as error:  # noqa: BLE001 - whatever a function that is not ours may raise
        note_often("strategy_failed", "The strategy %s of task %s failed: %r", task.strategy, task.name, error)
        return choose("least_loaded", able, wish, task.preferred_labels)


def _uses(task: int) -> dict[int, Use]:
    """What each worker has had of the last runs of a task."""
    latest = TaskRun.objects.filter(task=task, worker__isnull=False, assigned_at__isnull=False).order_by("-id")
    found: dict[int, Use] = {}
    rows: Any = latest.values_list("worker", "assigned_at")[:REMEMBERED]
    for worker, at in rows:
        before = found.get(worker, Use())
        found[worker] = Use(before.runs + 1, max(before.last, at.timestamp()))
    return found


def _in_turn(ready: dict[int, list[TaskRun]], quotas: dict[int, int]) -> list[TaskRun]:
    """Each namespace's runs in their own order, among those of the others by its share."""
    ranked = []
    for space, runs in ready.items():
        runs.sort(key=lambda run: (-run.priority, run.available_at, run.pk))
        ranked += [((number + 1) / max(quotas[space], 1), number, run) for number, run in enumerate(runs)]
    if len(ready) > 1:
        ranked.sort(key=lambda each: each[:2])
    return [run for _, _, run in ranked]


def _weights(spaces: Iterable[int]) -> Counter[int]:
    return Counter(dict(Namespace.objects.filter(pk__in=set(spaces)).order_by().values_list("pk", "weight")))


def _active() -> Counter[int]:
    """How many slots each namespace has."""
    runs: Any = TaskRun.objects.filter(status__in=ACTIVE).order_by().values_list("task__namespace")
    return Counter(dict(runs.annotate(Count("pk"))))
