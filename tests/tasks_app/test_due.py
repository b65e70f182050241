"""Every nominal time that has come runs, or is recorded as skipped, exactly as the task wants it."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.calendars import Closures, Rules, read
from tasks_app.due import GRACE, ROWS, Due, due
from tasks_app.models import Task
from tests.tasks_app.factories import NOW

SECOND = timedelta(seconds=1)
UTC = ZoneInfo("UTC")


def a_task(first: datetime, **fields: object) -> Task:
    return Task(**{"name": "t", "namespace_id": 1, "schedule": "* * * * *", "next_fire_at": first} | fields)


def all_times(task: Task, now: datetime) -> list[datetime]:
    found, at = [], task.next_fire_at
    while at and at <= now:
        found.append(at)
        at = task.plan().next_after(at)
    return found


def check_accounts(what: Due, expected: list[datetime]) -> None:
    """Every one of `expected` is in exactly one place, and nothing else."""
    named = [*what.run, *(each.at for each in what.skip)]
    shared = [at for at in expected if at not in named and any(since <= at < until for since, until, _ in what.shared)]
    assert sorted([*shared, *named]) == expected


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/7 * * * * *", "@every 11m", "0 9 * * *", "30 2 * * MON", "5,6 * * * * *"]),
    st.integers(0, 600) | st.integers(0, 3 * 86_400),
    st.integers(0, 999_999),
    st.sampled_from(["none", "last", "all"]),
    st.sampled_from(["none", "last", "all"]),
    st.none() | st.integers(1, 86_400),
    st.integers(1, 10) | st.integers(1, 300),
    st.sampled_from(["active", "paused"]),
    st.sampled_from(["", "00:30-12:00", "mon-sat", "03:00-21:00\nsun", "2020-01-01/2040-01-01"]),
)
def test_the_rule(
    schedule: str, ago: int, part: int, outage: str, resume: str, age: int | None, most: int, status: str, closed: str
) -> None:
    """The simplest telling of the rule there is, over all times one by one."""
    now = NOW + timedelta(microseconds=part)
    task = a_task(
        now,
        schedule=schedule,
        status=status,
        after_outage=outage,
        after_resume=resume,
        catch_up_seconds=age,
        catch_up_runs=most,
    )
    task.next_fire_at = task.plan().next_after(NOW - ago * SECOND)
    expected = all_times(task, now)
    closures = Closures((("c", read(Rules(closed))),))
    why = {at: closures.why(at, UTC) for at in expected}
    fresh = [at for at in expected if status == "active" and now - at <= GRACE]
    late = [at for at in expected if at not in fresh]
    how = outage if status == "active" else resume
    running, owed = [at for at in fresh if not why[at]], [at for at in late if not why[at]]
    wanted = {"none": [], "last": owed[-1:] if not running else [], "all": owed[-most:]}[how]
    kept = [at for at in wanted if age is None or now - at <= age * SECOND]

    what = due(task, now, closures)
    assert what.run == [*kept, *running]
    skipped = [*[at for at in late if at not in kept][-ROWS:], *(at for at in fresh if why[at])]
    reason = "missed" if status == "active" else "paused"
    assert what.skip == [(at, reason, why[at]) for at in skipped]
    assert what.next == task.plan().next_after(now)
    check_accounts(what, expected)


LONG = [timedelta(minutes=101), timedelta(days=400)]


@pytest.mark.parametrize("outage", LONG, ids=str)
@pytest.mark.parametrize(("how", "runs"), [("none", 1), ("last", 1), ("all", 100)])
def test_long_outages_of_a_minutely_task(outage: timedelta, how: str, runs: int) -> None:
    now = NOW + 61 * SECOND - SECOND / 2
    task = a_task(NOW - outage, after_outage=how, catch_up_runs=99)
    what = due(task, now)
    assert len(what.run) == runs
    check_accounts(what, all_times(task, now))


@pytest.mark.parametrize("closed", ["", "22:00-06:00\nsat, sun", "mon-sat", "2020-01-01/2040-01-01"])
@pytest.mark.parametrize("outage", LONG, ids=str)
def test_long_outages_are_settled_quickly(outage: timedelta, closed: str) -> None:
    task = a_task(NOW - outage, after_outage="all", catch_up_runs=1000)
    closures = Closures((("c", read(Rules(closed))),)) if closed else Closures()
    assert min(cpu_seconds(task, closures) for _ in range(3)) < 0.1


def cpu_seconds(task: Task, closures: Closures) -> float:
    started = time.process_time()
    due(task, NOW, closures)
    return time.process_time() - started


def test_a_rare_schedule_after_a_long_outage() -> None:
    task = a_task(datetime(2000, 2, 29, tzinfo=NOW.tzinfo), schedule="0 0 29 2 *")
    what = due(task, NOW)
    assert [each.at.year for each in what.skip] == [2000, 2004, 2008, 2012, 2016, 2020, 2024]
    assert [at.year for at in what.run] == [2028]


def test_fewer_missed_than_may_run_all_run() -> None:
    task = a_task(NOW - 2 * GRACE, after_outage="all", catch_up_runs=3)
    what = due(task, NOW + SECOND / 2)
    assert (what.run, what.skip) == ([NOW - 2 * GRACE, NOW - GRACE, NOW], [])


def test_what_is_old_does_not_run() -> None:
    task = a_task(NOW - timedelta(days=3), schedule="@at 2029-12-29T12:00Z", catch_up_seconds=86_400)
    what = due(task, NOW)
    assert (what.run, len(what.skip), what.next) == ([], 1, None)
