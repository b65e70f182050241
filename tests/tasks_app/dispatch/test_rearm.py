"""Duty: a task with a fixed delay fires again so long after its run has ended, however that came about."""

from datetime import timedelta

import pytest

from tasks_app import actions, transitions
from tasks_app.dispatch.fire import fire
from tasks_app.dispatch.rearm import rearm
from tasks_app.models import Task, TaskRun
from tests.tasks_app.factories import NOW, a_worker, an_active_run

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def saved(**fields: object) -> Task:
    task = Task(**{"name": "after", "executor": "shell", "command": "true", "schedule": "@after 10m"} | fields)
    actions.save(task, NOW)
    return task


def due_at(task: Task) -> object:
    task.refresh_from_db()
    return task.next_fire_at


def end(run: TaskRun, status: str, now: object) -> None:
    TaskRun.objects.filter(pk=run.pk).update(status="running", assigned_at=NOW, started_at=NOW)
    (locked,) = transitions.locked([(run.pk, run.attempt)])
    transitions.end([transitions.Ending(locked, status, "")], now)  # type: ignore[arg-type]


def test_a_new_task_fires_at_once():
    task = saved()
    assert due_at(task) is None
    assert rearm(NOW) == [task.pk]
    assert due_at(task) == NOW
    assert [run.scheduled_for for run in fire(NOW)] == [NOW]
    assert due_at(task) is None
    assert rearm(NOW + SECOND) == []


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_it_fires_again_after_the_end_of_its_run(status):
    task = saved()
    rearm(NOW)
    (run,) = fire(NOW)
    assert rearm(NOW + 60 * SECOND) == []
    end(run, status, NOW + 90 * SECOND)
    assert rearm(NOW + 91 * SECOND) == [task.pk]
    assert due_at(task) == NOW + timedelta(seconds=90, minutes=10)


def test_another_attempt_is_not_the_end():
    saved()
    rearm(NOW)
    (run,) = fire(NOW)
    end(run, "pending", NOW + SECOND)
    assert rearm(NOW + 2 * SECOND) == []


def test_what_is_cancelled_before_it_began_has_ended():
    task = saved()
    rearm(NOW)
    (run,) = fire(NOW)
    actions.cancel([run], NOW + SECOND)
    rearm(NOW + 2 * SECOND)
    assert due_at(task) == NOW + timedelta(seconds=1, minutes=10)


def test_a_run_that_was_triggered_by_hand_counts_for_nothing():
    task = saved()
    an_active_run(a_worker(), task)
    assert rearm(NOW) == [task.pk]


def test_an_end_that_nobody_noticed_for_long_makes_it_due_now():
    task = saved()
    rearm(NOW)
    (run,) = fire(NOW)
    end(run, "succeeded", NOW + SECOND)
    assert rearm(NOW + timedelta(hours=5)) == [task.pk]
    assert due_at(task) == NOW + timedelta(hours=5)


def test_what_is_paused_or_deleted_is_left_alone():
    paused, deleted = saved(name="paused", status="paused"), saved(name="deleted")
    actions.delete(deleted, NOW)
    assert rearm(NOW) == []
    actions.resume(paused, NOW)
    assert rearm(NOW) == [paused.pk]


def test_after_its_end_nobody_looks_at_it_again():
    task = saved(ends_at=NOW + timedelta(minutes=5))
    rearm(NOW)
    (run,) = fire(NOW)
    end(run, "succeeded", NOW + SECOND)
    assert rearm(NOW + 2 * SECOND) == [task.pk]
    assert (due_at(task), task.waits) == (None, False)
    assert rearm(NOW + 3 * SECOND) == []


def test_it_waits_for_its_start():
    task = saved(starts_at=NOW + timedelta(hours=1))
    rearm(NOW)
    assert due_at(task) == NOW + timedelta(hours=1)


def test_an_edit_changes_the_delay_of_what_runs():
    task = saved()
    rearm(NOW)
    (run,) = fire(NOW)
    task.refresh_from_db()
    task.schedule = "@after 1h"
    actions.save(task, NOW + SECOND)
    assert rearm(NOW + SECOND) == []
    end(run, "succeeded", NOW + 2 * SECOND)
    rearm(NOW + 3 * SECOND)
    assert due_at(task) == NOW + timedelta(hours=1, seconds=2)


def test_another_kind_of_schedule_waits_for_nothing():
    task = saved()
    task.schedule = "@every 1h"
    actions.save(task, NOW)
    assert due_at(task) == NOW + timedelta(hours=1)
    assert not task.waits
    assert rearm(NOW) == []


def test_many_cost_one_look_and_one_statement(django_assert_max_num_queries):
    for n in range(50):
        saved(name=f"after-{n}")
    with django_assert_max_num_queries(4):
        assert len(rearm(NOW)) == 50
