"""What has come by a task's plan gets its run, though somebody changes the plan before a dispatcher has fired it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tasks_app import actions
from tasks_app.dispatch.fire import fire
from tasks_app.due import MOST
from tasks_app.models import Task
from tests.tasks_app.factories import NOW, a_task

pytestmark = pytest.mark.django_db
EVERY_TEN = "*/10 * * * * *"
LATE = [NOW - timedelta(seconds=seconds) for seconds in (20, 10, 0)]


def late_task(seconds: int = 20, **fields: object) -> Task:
    return a_task(**{"schedule": EVERY_TEN, "next_fire_at": NOW - timedelta(seconds=seconds)} | fields)


def change(name: str, value: str) -> Callable[[Task], None]:
    def save(task: Task) -> None:
        setattr(task, name, value)
        actions.save(task, NOW)

    return save


CHANGES = {
    "another schedule": change("schedule", "@daily"),
    "no schedule": change("schedule", ""),
    "another zone": change("timezone", "Europe/Berlin"),
    "paused": lambda task: actions.pause(task, NOW),
}


def made(task: Task) -> list[tuple[object, ...]]:
    return list(task.runs.order_by("scheduled_for").values_list("scheduled_for", "status", "origin"))


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_due_by_the_old_plan_gets_its_run(name: str):
    task = late_task()
    CHANGES[name](task)
    assert made(task) == [(time, "pending", "schedule") for time in LATE]
    task.refresh_from_db()
    assert task.next_fire_at is None or task.next_fire_at > NOW
    assert fire(NOW) == []


def test_what_is_due_when_a_task_is_deleted_is_recorded_as_cancelled():
    task = late_task()
    actions.delete(task, NOW)
    assert made(task) == [(time, "cancelled", "schedule") for time in LATE]


def test_after_a_long_outage_the_last_time_runs_and_the_others_are_recorded_as_missed():
    task = late_task(seconds=10 * MOST + 10)
    actions.pause(task, NOW)
    states = [status for _, status, _ in made(task)]
    assert states == ["skipped"] * (MOST + 1 - 6) + ["pending"] * 7
    assert set(task.runs.filter(status="skipped").values_list("reason", flat=True)) == {"missed"}


def test_an_edit_that_leaves_the_plan_alone_leaves_firing_to_the_dispatchers():
    task = late_task()
    change("command", "false")(task)
    assert made(task) == []
    assert [run.scheduled_for for run in fire(NOW)] == LATE


def test_what_comes_while_a_task_is_paused_gets_no_run():
    task = late_task(status="paused")
    actions.resume(task, NOW)
    assert made(task) == []
    assert fire(NOW) == []


def test_a_time_that_was_fired_already_is_not_fired_again():
    task = late_task()
    fire(NOW)
    Task.objects.filter(pk=task.pk).update(next_fire_at=NOW - timedelta(seconds=20))
    change("schedule", "")(Task.objects.get(pk=task.pk))
    assert len(made(task)) == len(LATE)
