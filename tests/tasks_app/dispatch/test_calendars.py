"""On closed days and hours tasks do not fire, and one can see why; calendars can be edited at any time."""

from datetime import datetime, timedelta

import pytest
from django.db.models import ProtectedError

from tasks_app import actions, calendar_actions
from tasks_app.dispatch.fire import fire
from tasks_app.expected import fates
from tasks_app.models import Calendar, Task
from tests.tasks_app.factories import NOW, a_task

pytestmark = pytest.mark.django_db
TODAY = "2030-01-01"  # of NOW, a Tuesday
DAY = timedelta(days=1)


def a_calendar(**fields: object) -> Calendar:
    return Calendar.objects.create(**{"name": f"calendar-{Calendar.objects.count()}"} | fields)


def due_now(**fields: object) -> Task:
    return a_task(schedule="0 12 * * *", next_fire_at=NOW, created_at=NOW - 9 * DAY, **fields)


def outcome(task: Task) -> list[tuple[str, str, str]]:
    return list(task.runs.values_list("status", "reason", "error"))


def test_what_is_due_on_a_closed_day_is_skipped_and_says_why():
    task = due_now(calendar=a_calendar(name="works", closed=f"{TODAY} New Year"))
    fire(NOW)
    assert outcome(task) == [("skipped", "calendar", "Closed by works: New Year")]
    task.refresh_from_db()
    assert task.next_fire_at == NOW + DAY
    found = fates(task, NOW, NOW + DAY, NOW, 10)
    assert [(fate.at, fate.outcome, fate.reason) for fate in found] == [(NOW, "skipped", "calendar")]


def test_open_days_fire():
    task = due_now(calendar=a_calendar(closed="sat, sun"))
    fire(NOW)
    assert outcome(task) == [("pending", "", "")]


def test_a_blackout_of_a_namespace(django_assert_max_num_queries):
    other = a_task().namespace.__class__.objects.create(name="other")
    a_calendar(name="move", for_all=True, namespace=other, closed=f"{TODAY}T11:00/{TODAY}T13:00 Servers move")
    mine, theirs = due_now(), due_now(namespace=other)
    with django_assert_max_num_queries(6):
        fire(NOW)
    assert outcome(mine) == [("pending", "", "")]
    assert outcome(theirs) == [("skipped", "calendar", "Closed by move: Servers move")]


def test_a_blackout_of_everything():
    a_calendar(name="all", for_all=True, closed="11:00-13:00")
    task = due_now(calendar=a_calendar(closed="sat, sun"))
    fire(NOW)
    assert outcome(task) == [("skipped", "calendar", "Closed by all: 11:00-13:00")]


def test_a_calendar_in_its_own_time_zone():
    calendar = a_calendar(closed="12:00-13:00", timezone="Asia/Tokyo")
    task = due_now(calendar=calendar)
    fire(NOW)
    assert outcome(task) == [("pending", "", "")]


def test_a_fixed_delay_waits_until_it_is_open():
    task = a_task(schedule="@after 1h", next_fire_at=NOW, calendar=a_calendar(closed=TODAY))
    fire(NOW)
    assert outcome(task) == [("skipped", "calendar", f"Closed by {task.calendar}: {TODAY}")]


def test_a_calendar_that_cannot_be_read_any_more_closes_nothing(caplog):
    task = due_now(calendar=a_calendar(name="gone", closed="holidays XX"))
    fire(NOW)
    assert outcome(task) == [("pending", "", "")]
    assert "The calendar gone closes nothing" in caplog.text


def test_a_move_by_a_calendar_that_cannot_be_read_any_more_fires_no_more(caplog):
    task = due_now(calendar=a_calendar(closed="holidays XX"), on_closed="next")
    fire(NOW)
    assert outcome(task) == []
    assert "fires no more" in caplog.text


def test_moved_times_are_nominal_times():
    task = due_now(calendar=a_calendar(closed="2030-01-02/2030-01-04"), on_closed="next")
    fire(NOW)
    task.refresh_from_db()
    assert task.next_fire_at == datetime.fromisoformat("2030-01-05T12:00Z")
    found = fates(task, NOW, NOW + 6 * DAY, NOW, 10)
    assert [fate.at.day for fate in found] == [1, 5, 6]


def test_an_edited_calendar_moves_anew_and_what_was_expected_is_remembered():
    calendar = a_calendar(closed="2030-01-02/2030-01-04")
    task = due_now(calendar=calendar, on_closed="next")
    fire(NOW)
    skipping = due_now(calendar=calendar)
    calendar.closed = "2030-01-02"
    calendar_actions.save(calendar, NOW + timedelta(hours=1))
    task.refresh_from_db()
    skipping.refresh_from_db()
    assert task.next_fire_at == datetime.fromisoformat("2030-01-03T12:00Z")
    assert skipping.next_fire_at == NOW
    later = NOW + 2 * DAY
    fire(later)
    assert [(fate.at.day, fate.outcome) for fate in fates(task, NOW, later + DAY, later, 10)] == [
        (1, "pending"),
        (3, "pending"),
    ]
    assert task.former_plans.get().shift["closed"] == "2030-01-02/2030-01-04"


def test_an_edit_that_changes_no_rule_plans_nothing_anew():
    calendar = a_calendar(closed="2030-01-02/2030-01-04")
    task = due_now(calendar=calendar, on_closed="next")
    calendar.description = "For all"
    calendar_actions.save(calendar, NOW)
    assert not task.former_plans.exists()


def test_a_calendar_in_use_cannot_be_deleted():
    calendar = a_calendar()
    task = due_now(calendar=calendar, name="nightly")
    with pytest.raises(actions.NotPossible, match="nightly"):
        calendar_actions.delete(calendar)
    with pytest.raises(ProtectedError):
        calendar.delete()
    actions.delete(task, NOW)
    calendar_actions.delete(calendar)
    assert not Calendar.objects.exists()


def test_choosing_a_calendar_that_moves_plans_anew():
    task = due_now()
    fire(NOW)
    task.refresh_from_db()
    task.calendar, task.on_closed = a_calendar(closed="2030-01-02/2030-01-04"), "next"
    actions.save(task, NOW)
    assert task.next_fire_at == datetime.fromisoformat("2030-01-05T12:00Z")
