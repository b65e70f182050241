"""Nominal times that have gone by are made up for: once each, so many at a time, in the order that was asked for."""

from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks_app import actions, transitions
from tasks_app.backfilling import chosen
from tasks_app.dispatch.backfill import release
from tasks_app.models import FINAL, Backfill, Calendar, Task, TaskRun, run_of
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SINCE = NOW - 6 * HOUR
TIMES = [SINCE + number * HOUR for number in range(6)]


def hourly(**fields: object) -> Task:
    return a_task(**{"schedule": "0 * * * *", "created_at": NOW - 3 * HOUR, "next_fire_at": NOW + HOUR} | fields)


def wish(task: Task, **fields: object) -> Backfill:
    return Backfill(**{"task": task, "since": SINCE, "until": NOW} | fields)


def a_fate(task: Task, at: datetime, status: str, origin: str = "schedule") -> TaskRun:
    ended = {"completed_at": NOW} if status in FINAL else {}
    return a_run(task, scheduled_for=at, status=status, origin=origin, **ended)


def end(run: TaskRun, status: str = "succeeded") -> None:
    transitions.assign([(run, a_worker().pk)], NOW)
    transitions.start([(run.pk, 1, NOW)])
    run.refresh_from_db()
    transitions.end([transitions.Ending(run, status, "" if status == "succeeded" else "error")], NOW)


def test_what_is_missing_also_before_there_was_a_task():
    task = hourly()
    for at, status in zip(TIMES, ["succeeded", "failed", "skipped", "cancelled", "pending", "skipped"], strict=True):
        a_fate(task, at, status)
    assert chosen(task, wish(task), NOW) == [TIMES[2], TIMES[3], TIMES[5]]
    assert chosen(task, wish(task, which="failed"), NOW) == [TIMES[1]]
    assert chosen(task, wish(task, which="all", order="newest"), NOW) == [TIMES[n] for n in (5, 3, 2, 1, 0)]


STATUSES = st.sampled_from([*FINAL, "pending"])
FATES = st.lists(st.tuples(st.integers(0, 5), STATUSES, st.sampled_from(["schedule", "retry", "backfill", "manual"])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FATES, st.sampled_from(["missing", "failed", "all"]), st.integers(0, 6), st.integers(0, 6))
def test_the_rule(db: None, given: list[tuple[int, str, str]], which: str, start: int, length: int) -> None:
    """The simplest telling of the rule there is."""
    task = hourly()
    seen = set()
    told: dict[int, list[str]] = {number: [] for number in range(6)}
    for number, status, origin in given:
        if origin == "schedule" and number in seen:
            continue
        seen |= {number} if origin == "schedule" else set()
        a_fate(task, TIMES[number], status, origin)
        told[number] += [status] if origin != "manual" else []
    expected = []
    for number in range(start, min(6, start + length)):
        runs = told[number]
        wanted = {
            "missing": "succeeded" not in runs and "failed" not in runs,
            "failed": runs[-1:] == ["failed"],
            "all": True,
        }[which]
        if wanted and "pending" not in runs:
            expected.append(TIMES[number])
    asked = wish(task, which=which, since=SINCE + start * HOUR, until=min(NOW, SINCE + (start + length) * HOUR))
    if asked.since >= asked.until:
        with pytest.raises(ValidationError):
            chosen(task, asked, NOW)
    else:
        assert chosen(task, asked, NOW) == expected


@pytest.mark.parametrize(
    ("task", "fields", "field", "message"),
    [
        ({}, {"until": NOW + HOUR}, "until", "future"),
        ({}, {"until": SINCE}, "until", "after the start"),
        ({"schedule": ""}, {}, "since", "no nominal times"),
        ({"schedule": "@after 1h"}, {}, "since", "no nominal times"),
        ({"schedule": "* * * * * *"}, {}, "until", "more than 10,000"),
        ({}, {"parallel": 0}, "parallel", "greater than or equal to 1"),
        ({}, {"which": "some"}, "which", "not a valid choice"),
        ({}, {"order": "random"}, "order", "not a valid choice"),
        ({}, {"which": "failed"}, "since", "nothing to make up for"),
    ],
)
def test_refused(task: dict[str, object], fields: dict[str, object], field: str, message: str):
    with pytest.raises(ValidationError) as caught:
        actions.backfill(wish(hourly(**task), **fields), NOW)
    assert message in str(caught.value.message_dict[field])
    assert not Backfill.objects.exists()


def test_what_a_calendar_closes_is_left_out():
    task = hourly(calendar=Calendar.objects.create(name="c", closed="08:00-10:00"))
    assert chosen(task, wish(task), NOW) == [TIMES[n] for n in (0, 1, 4, 5)]


def test_so_many_at_a_time_until_all_have_ended():
    row = actions.backfill(wish(hourly(), parallel=2), NOW)
    first = release(NOW)
    assert [(run.scheduled_for, run.origin, run.backfill_id) for run in first] == [
        (at, "backfill", row.pk) for at in TIMES[:2]
    ]
    assert release(NOW) == []
    end(first[0])
    second = release(NOW)
    assert [run.scheduled_for for run in second] == [TIMES[2]]
    end(first[1], "failed")
    end(second[0])
    third = release(NOW)
    for run in third:
        end(run)
    for run in release(NOW):
        assert run.scheduled_for == TIMES[5]
        end(run)
    row.refresh_from_db()
    assert row.status == "running"
    release(NOW)
    row.refresh_from_db()
    assert (row.status, row.position, row.total) == ("completed", 6, 6)
    assert row.completed_at == NOW
    assert release(NOW) == []


def test_the_newest_first():
    actions.backfill(wish(hourly(), order="newest", parallel=10), NOW)
    assert [run.scheduled_for for run in release(NOW)] == TIMES[::-1]


def test_two_of_a_task_never_make_the_same():
    task = hourly()
    actions.backfill(wish(task, until=SINCE + 3 * HOUR), NOW)
    release(NOW)
    other = actions.backfill(wish(task, which="all", parallel=10), NOW)
    assert other.total == 3
    made = [run.scheduled_for for run in release(NOW)]
    assert made == TIMES[3:]


def test_cancelled_as_one():
    row = actions.backfill(wish(hourly(), parallel=2), NOW)
    made = release(NOW)
    actions.cancel_backfill(row, NOW)
    assert release(NOW) == []
    assert set(row.runs.values_list("status", flat=True)) == {"cancelled"}
    assert row.runs.count() == len(made)
    with pytest.raises(actions.NotPossible, match="over already"):
        actions.cancel_backfill(row, NOW)


def test_a_task_that_is_deleted_takes_its_backfills_along():
    task = hourly()
    row = actions.backfill(wish(task), NOW)
    actions.delete(task, NOW)
    assert release(NOW) == []
    row.refresh_from_db()
    assert row.status == "cancelled"


def test_the_statements_do_not_grow(django_assert_max_num_queries):
    for _ in range(30):
        actions.backfill(wish(hourly(), parallel=3), NOW)
    with django_assert_max_num_queries(7):
        assert len(release(NOW)) == 90


def test_a_retry_by_hand_counts_for_its_time():
    task = hourly()
    failed = a_fate(task, TIMES[0], "failed")
    again = run_of(task, now=NOW, origin="retry", retry_of=failed, scheduled_for=TIMES[0])
    transitions.create([again])
    assert chosen(task, wish(task, which="failed"), NOW) == []
