"""Duty 3: every due nominal time becomes exactly one run."""

from datetime import datetime, timedelta

import pytest

from tasks_app import firing
from tasks_app.dispatch.fire import fire
from tasks_app.due import ROWS
from tasks_app.models import Task, TaskRun
from tests.tasks_app.factories import NOW, a_task

pytestmark = pytest.mark.django_db


def fired(task: Task) -> list[tuple[str, datetime]]:
    return list(task.runs.order_by("scheduled_for").values_list("status", "scheduled_for"))


def test_a_due_task_fires_and_plans_its_next_time():
    task = a_task(schedule="* * * * *", next_fire_at=NOW)
    fire(NOW)
    task.refresh_from_db()
    assert fired(task) == [("pending", NOW)]
    assert task.next_fire_at == NOW + timedelta(minutes=1)
    run = task.runs.get()
    assert (run.origin, run.available_at, run.placement) == ("schedule", NOW, task.placement)


def test_what_is_not_due_paused_or_deleted_does_not_fire():
    a_task(schedule="* * * * *", next_fire_at=NOW + timedelta(seconds=1))
    a_task(schedule="* * * * *", next_fire_at=NOW, status="paused")
    a_task(schedule="* * * * *", next_fire_at=NOW, deleted_at=NOW)
    assert fire(NOW) == []


def test_firing_twice_makes_one_run():
    task = a_task(schedule="* * * * *", next_fire_at=NOW)
    fire(NOW)
    Task.objects.filter(pk=task.pk).update(next_fire_at=NOW)
    fire(NOW)
    assert TaskRun.objects.count() == 1


def test_a_short_outage_is_made_up_for():
    task = a_task(schedule="*/10 * * * * *", next_fire_at=NOW - timedelta(seconds=40))
    fire(NOW)
    assert fired(task) == [("pending", NOW - timedelta(seconds=s)) for s in (40, 30, 20, 10, 0)]


def test_of_a_long_outage_the_last_time_runs_and_the_others_are_recorded_as_missed():
    task = a_task(schedule="0 * * * *", next_fire_at=NOW - timedelta(hours=3))
    fire(NOW + timedelta(minutes=30))
    assert [status for status, _ in fired(task)] == ["skipped", "skipped", "skipped", "pending"]
    assert set(task.runs.filter(status="skipped").values_list("reason", flat=True)) == {"missed"}


def test_of_a_very_long_outage_the_older_times_share_a_record():
    task = a_task(schedule="* * * * * *", next_fire_at=NOW - timedelta(seconds=2000))
    made = fire(NOW)
    assert [run.status for run in made] == ["skipped"] * ROWS + ["pending"] * 61
    (shared,) = task.missed_spans.all()
    assert (shared.since, shared.until, shared.reason) == (
        NOW - timedelta(seconds=2000),
        made[0].scheduled_for,
        "missed",
    )
    assert [run.scheduled_for for run in made] == [NOW - timedelta(seconds=s) for s in range(60 + ROWS, -1, -1)]
    assert fire(NOW) == []


def test_after_an_outage_tasks_take_their_turns(monkeypatch):
    monkeypatch.setattr(firing, "MOST", 100)
    tasks = [a_task(schedule="* * * * * *", next_fire_at=NOW - timedelta(seconds=39)) for _ in range(5)]
    assert [len(fire(NOW)) for _ in range(3)] == [120, 80, 0]
    assert all(task.runs.count() == 40 for task in tasks)


def test_a_one_off_time_fires_once():
    task = a_task(schedule="@at 2030-01-01T12:00:00Z", next_fire_at=NOW)
    fire(NOW)
    task.refresh_from_db()
    assert task.next_fire_at is None
    assert fired(task) == [("pending", NOW)]


def test_a_schedule_that_cannot_be_read_any_more_stops_only_its_own_task(caplog):
    broken = a_task(schedule="nonsense", next_fire_at=NOW - timedelta(seconds=1))
    good = a_task(schedule="* * * * *", next_fire_at=NOW)
    fire(NOW)
    broken.refresh_from_db()
    assert broken.next_fire_at is None
    assert broken.name in caplog.text
    assert good.runs.count() == 1


def test_many_tasks_cost_few_statements(django_assert_max_num_queries):
    for _ in range(100):
        a_task(schedule="* * * * *", next_fire_at=NOW)
    # Three for the work, four for savepoints.
    with django_assert_max_num_queries(7):
        assert len(fire(NOW)) == 100
