"""The simulation sees faults: with one rule taken out of the code, it fails.

Each fault has a script, so that it is found at once and always. With `SIMULATION_EXAMPLES` set, hypothesis has to find
each by itself, too.
"""

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.db.models import DateTimeField, Value
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tasks_app import actions, firing, transitions
from tasks_app.dispatch import decide, leases, recover, scheduler
from tasks_app.models import ACTIVE, TaskRun
from tasks_app.sql import update
from tasks_app.transitions import Ending, Key
from tests.simulation.machine import Simulation
from tests.simulation.workers import SimulatedWorker
from tests.simulation.world import World
from workers_app import registry
from workers_app.agent.attempts import Attempts
from workers_app.agent.lease import Incarnation
from workers_app.messaging.protocol import INBOX

pytestmark = [pytest.mark.django_db, pytest.mark.only("sqlite")]
Patch = pytest.MonkeyPatch


# Scripts: each brings the world into a state where one rule matters


def busy(world: World, task: str = "plain") -> SimulatedWorker:
    """A worker that runs an attempt of `task`."""
    world.calm(2)
    world.submit(task)
    world.calm(1)
    return next(worker for worker in world.workers if worker.pool.jobs)


def start_reported_late(world: World) -> None:
    worker = busy(world)
    worker.pool.jobs[0].report_start()
    worker.tick()
    late = world.channel.take(INBOX, 1000)
    world.torment(worker, "kill")
    world.calm(14)
    world.channel.give_back(INBOX, late)
    world.calm(1)


def end_reported_late(world: World) -> None:
    worker = busy(world)
    worker.freeze()
    world.calm(14)
    worker.pool.jobs[0].end("")
    worker.thaw()
    world.calm(1)


def cut_off_for_long(world: World) -> None:
    world.calm(14, without=busy(world).name)


def cut_off_for_a_while(world: World) -> None:
    world.calm(6, without=busy(world).name)


def killed_with_what_may_start_once(world: World) -> None:
    world.torment(busy(world, "once"), "kill")
    world.calm(14)


def _assigned(world: World) -> tuple[SimulatedWorker, list[bytes]]:
    """A worker, and the assignment on its way to it."""
    world.calm(2)
    world.submit("plain")
    world.dispatch("dispatcher-a")
    worker = next(worker for worker in world.workers if worker.box in world.channel.boxes)
    return worker, world.channel.take(worker.box, 1000)


def assignment_delayed(world: World) -> None:
    worker, letters = _assigned(world)
    world.calm(6)
    worker.hear(letters)


def assignment_lost(world: World) -> None:
    _assigned(world)


def dispatcher_stands_still(world: World) -> None:
    busy(world)
    world.stand_still("dispatcher-a", at=0, seconds=13)
    world.pass_time(1)
    world.dispatch("dispatcher-b", most=0)


def due_again_and_again(world: World) -> None:
    world.plan(7)
    world.calm(16)


def stopped_before_it_is_fired(world: World) -> None:
    world.plan(7)
    world.pass_time(16)
    world.unplan(world.plans[0], "stop")


# Faults: each takes one rule out of the code


def moves_match_no_attempt(monkeypatch: Patch) -> None:
    def move(
        rows: list[dict[str, Any]], sources: Iterable[str], expressions: dict[str, str] | None = None
    ) -> list[Any]:
        states = ", ".join(f"'{state}'" for state in sources)
        return update(TaskRun, ["id"], rows, f"target.status || '' IN ({states})", expressions)

    monkeypatch.setattr(transitions, "_move", move)


def ends_match_no_attempt(monkeypatch: Patch) -> None:
    def locked(keys: Iterable[Key], **also: Any) -> list[TaskRun]:
        runs = TaskRun.objects.filter(pk__in=dict(keys), status__in=ACTIVE).select_related("task", "worker")
        return list(runs.annotate(**also))

    monkeypatch.setattr(transitions, "locked", locked)


def worker_heeds_no_lease(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Incarnation, "ended", property(lambda self: False))


def recovers_too_early(monkeypatch: Patch) -> None:
    expire = registry.expire
    monkeypatch.setattr(registry, "expire", lambda now: expire(now + timedelta(seconds=8)))


def leases_are_cut_by_an_old_time(monkeypatch: Patch) -> None:
    def planted(now: datetime, **rest: Any) -> Any:
        with patch.object(registry, "Now", lambda: Value(now, DateTimeField())):
            registry.shorten(leases.LEASE_SECONDS)
        return recover.recover(now, **rest)

    monkeypatch.setattr(scheduler, "recover", planted)


def worker_forgets_what_it_has_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Attempts, "_is_new", lambda self, key: True)


def nobody_asks_after_attempts(monkeypatch: Patch) -> None:
    monkeypatch.setattr(leases, "IN_FLIGHT", timedelta(days=1))


def whatever_is_lost_starts_again(monkeypatch: Patch) -> None:
    def lost(run: TaskRun, now: datetime, *, blame: bool = True) -> Ending:
        return Ending(run, "pending", "worker_lost", available_at=now)

    monkeypatch.setattr(decide, "lost", lost)


def fires_without_moving_on(monkeypatch: Patch) -> None:
    monkeypatch.setattr(firing, "update", lambda *_: [])
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX run_one_per_nominal_time")


def what_is_due_goes_with_its_plan(monkeypatch: Patch) -> None:
    monkeypatch.setattr(actions, "settle", lambda task, now, forget: None)


FAULTS: list[tuple[Callable[[Patch], None], Callable[[World], None]]] = [
    (moves_match_no_attempt, start_reported_late),
    (ends_match_no_attempt, end_reported_late),
    (worker_heeds_no_lease, cut_off_for_long),
    (recovers_too_early, cut_off_for_a_while),
    (leases_are_cut_by_an_old_time, dispatcher_stands_still),
    (worker_forgets_what_it_has_seen, assignment_delayed),
    (nobody_asks_after_attempts, assignment_lost),
    (whatever_is_lost_starts_again, killed_with_what_may_start_once),
    (fires_without_moving_on, due_again_and_again),
    (what_is_due_goes_with_its_plan, stopped_before_it_is_fired),
]


def play(script: Callable[[World], None]) -> None:
    world = World()
    script(world)
    world.promises.check()
    world.heal()


@pytest.mark.parametrize(("fault", "script"), FAULTS)
def test_a_fault_is_found(fault: Callable[[Patch], None], script: Callable[[World], None], monkeypatch: Patch):
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        play(script)


@pytest.mark.parametrize("script", [script for _, script in FAULTS])
def test_without_the_fault_all_is_well(script: Callable[[World], None]):
    play(script)


@pytest.mark.skipif("SIMULATION_EXAMPLES" not in os.environ, reason="takes long; set SIMULATION_EXAMPLES")
@pytest.mark.parametrize("fault", [fault for fault, _ in FAULTS])
def test_a_fault_is_found_by_itself(fault: Callable[[Patch], None], monkeypatch: Patch, examples: int):
    fault(monkeypatch)
    search = {"max_examples": examples, "stateful_step_count": 40, "phases": [Phase.generate], "database": None}
    everything = list(HealthCheck)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Simulation, settings=settings(**search, deadline=None, suppress_health_check=everything)
        )
