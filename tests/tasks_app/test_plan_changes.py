"""What has come by a task's plan gets its run, though somebody changes the plan before a dispatcher has fired it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tasks_app import actions
from tasks_app.dispatch.fire import fire
from tasks_app.due import ROWS
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


def test_after_a_long_outage_the_last_minute_runs_and_what_is_older_is_recorded_as_missed():
    task = late_task(seconds=10 * ROWS + 10)
    actions.pause(task, NOW)
    states = [status for _, status, _ in made(task)]
    assert states == ["skipped"] * (ROWS + 2 - 7) + ["pending"] * 7
    assert set(task.runs.filter(status="skipped").values_list("reason", flat=True)) == {"missed"}


def test_an_edit_that_leaves_the_plan_alone_leaves_firing_to_the_dispatchers():
    task = late_task()
    change("command", "false")(task)
    assert made(task) == []
    assert [run.scheduled_for for run in fire(NOW)] == LATE


PAUSED = {
    "none": ["skipped", "skipped", "skipped"],
    "last": ["skipped", "skipped", "pending"],
    "all": ["pending", "pending", "pending"],
}


@pytest.mark.parametrize("how", PAUSED)
def test_what_came_while_a_task_was_paused_runs_as_it_wants(how: str):
    task = late_task(status="paused", after_resume=how)
    assert fire(NOW) == []
    actions.resume(task, NOW)
    assert made(task) == [(time, status, "schedule") for time, status in zip(LATE, PAUSED[how], strict=True)]
    assert set(task.runs.filter(status="skipped").values_list("reason", flat=True)) <= {"paused"}
    assert fire(NOW) == []


def test_how_to_make_up_for_a_pause_may_be_said_when_it_is_resumed():
    task = late_task(status="paused")
    task.after_resume = "all"
    actions.resume(task, NOW)
    assert [status for _, status, _ in made(task)] == ["pending"] * 3


def test_a_pause_and_an_outage_are_different_things():
    task = late_task(seconds=300, after_outage="none", after_resume="all")
    actions.pause(task, NOW - timedelta(seconds=100))
    assert [status for _, status, _ in made(task)] == ["skipped"] * 14 + ["pending"] * 7
    actions.resume(task, NOW)
    assert [status for _, status, _ in made(task)] == ["skipped"] * 14 + ["pending"] * 17


@pytest.mark.parametrize("status", ["paused", "active"])
def test_what_came_while_it_was_paused_runs_not_by_another_plan(status: str):
    task = late_task(status="paused", after_resume="all")
    task.schedule, task.status = "@every 7s", status
    actions.save(task, NOW)
    assert made(task) == [(time, "skipped", "schedule") for time in LATE]


def test_what_is_paused_and_deleted_is_recorded_as_paused():
    task = late_task(status="paused", after_resume="all")
    actions.delete(task, NOW)
    assert set(task.runs.values_list("status", "reason")) == {("skipped", "paused")}


def test_a_former_plan_is_kept():
    task = late_task(created_at=NOW - timedelta(days=1))
    change("schedule", "H 3 * * *")(task)
    actions.save(task, NOW + timedelta(hours=1))
    task.name = "another"
    actions.save(task, NOW + timedelta(hours=2))
    task.schedule = ""
    actions.save(task, NOW + timedelta(hours=3))
    task.schedule = "@daily"
    actions.save(task, NOW + timedelta(hours=4))
    plans = list(task.former_plans.order_by("since"))
    assert [plan.schedules for plan in plans] == [[{"schedule": EVERY_TEN}], *[[{"schedule": "H 3 * * *"}]] * 2]
    ends = [NOW, NOW + timedelta(hours=2), NOW + timedelta(hours=3)]
    assert [(plan.since, plan.until) for plan in plans] == list(zip([task.created_at, *ends], ends, strict=False))
    assert task.planned_at == NOW + timedelta(hours=4)


def test_a_time_that_was_fired_already_is_not_fired_again():
    task = late_task()
    fire(NOW)
    Task.objects.filter(pk=task.pk).update(next_fire_at=NOW - timedelta(seconds=20))
    change("schedule", "")(Task.objects.get(pk=task.pk))
    assert len(made(task)) == len(LATE)
