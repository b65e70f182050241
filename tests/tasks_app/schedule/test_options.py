"""Start and end, every n-th, spread, phase, fixed delay, several schedules of one task."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.schedule import Schedule, ScheduleError, Spec, read
from tests.tasks_app.schedule.test_cron import BERLIN, KOLKATA, full, utc
from tests.tasks_app.schedule.test_dialects import times

BOUNDS = [
    (Spec("0 9 * * *", starts_at=utc("2024-06-03 09:00")), "2024-01-01", ["2024-06-03 09:00", "2024-06-04 09:00"]),
    (Spec("0 9 * * *", starts_at=utc("2024-06-03 09:00:00.5")), "2024-01-01", ["2024-06-04 09:00"]),
    (Spec("0 9 * * *", starts_at=utc("2024-06-03 09:01")), "2024-01-01", ["2024-06-04 09:00"]),
    (Spec("0 9 * * *", ends_at=utc("2024-06-03 09:00")), "2024-06-01 10:00", ["2024-06-02 09:00"]),
    (Spec("0 9 * * *", ends_at=utc("2024-06-03 09:00:01")), "2024-06-02 10:00", ["2024-06-03 09:00"]),
    (Spec("@every 10m", starts_at=utc("2024-06-03 09:05")), "2024-01-01", ["2024-06-03 09:10"]),
    (Spec("@at 2024-06-03T09:00Z", starts_at=utc("2024-06-04")), "2024-01-01", []),
    (Spec("* * * * *", ends_at=utc("2020-01-01")), "2024-01-01", []),
    (Spec("0 0 29 2 *", starts_at=utc("2100-01-01")), "2024-01-01", ["2104-02-29"]),
]
PHASES = [
    (Spec("@every 90m from 2024-06-01T00:30Z"), "2024-06-01 00:29", ["2024-06-01 00:30", "2024-06-01 02:00"]),
    (Spec("@every 90m from 2024-06-01T00:30Z"), "2024-05-31 22:00", ["2024-05-31 23:00", "2024-06-01 00:30"]),
    (Spec("@every 1d from 2024-06-01T08:00", BERLIN), "2024-06-01", ["2024-06-01 06:00", "2024-06-02 06:00"]),
    (Spec("@every 1d from 2024-06-01T08:00", BERLIN), "2024-11-01", ["2024-11-01 06:00"]),
    (Spec("@every 1d from 2024-06-01T08:00", KOLKATA), "2024-06-01", ["2024-06-01 02:30"]),
    (Spec("@every 1h from 2024-03-31T02:30", BERLIN), "2024-03-31", ["2024-03-31 01:00", "2024-03-31 02:00"]),
    (Spec("@every 7d from 2024-06-03"), "2024-06-04", ["2024-06-10 00:00"]),
]
NTH = [
    (
        Spec("0 9 * * FRI", every_nth=2, starts_at=utc("2024-06-01")),
        "2024-06-01",
        ["2024-06-07", "2024-06-21", "2024-07-05"],
    ),
    (Spec("0 9 * * FRI", every_nth=2, starts_at=utc("2024-06-01")), "2030-01-01", ["2030-01-11", "2030-01-25"]),
    (Spec("0 9 * * FRI", every_nth=2, starts_at=utc("2024-06-08")), "2024-06-01", ["2024-06-14", "2024-06-28"]),
    (
        Spec("0 9 1 * *", every_nth=3, starts_at=utc("2024-01-15")),
        "2024-01-01",
        ["2024-02-01", "2024-05-01", "2024-08-01"],
    ),
    (
        Spec("0 9 * * *", every_nth=5, starts_at=utc("2024-02-27")),
        "2024-02-01",
        ["2024-02-27", "2024-03-03", "2024-03-08"],
    ),
]


@pytest.mark.parametrize(("spec", "after", "expected"), BOUNDS)
def test_start_and_end(spec: Spec, after: str, expected: list[str]) -> None:
    rows = [full(row if " " in row else f"{row} 00:00") for row in expected]
    assert times(spec, after, max(len(expected), 1)) == rows


@pytest.mark.parametrize(("spec", "after", "expected"), PHASES)
def test_intervals_from_a_time(spec: Spec, after: str, expected: list[str]) -> None:
    assert times(spec, after, len(expected)) == [full(row) for row in expected]


def test_what_comes_in_a_thousand_years_does_not_come() -> None:
    plan = read((Spec("0 9 1 1 *", every_nth=1000, starts_at=utc("2024-01-01")),), "")
    assert plan.next_after(utc("2023-01-01")) == utc("2024-01-01 09:00")
    assert plan.next_after(utc("2024-06-01")) is None


@pytest.mark.parametrize(("spec", "after", "expected"), NTH)
def test_every_nth(spec: Spec, after: str, expected: list[str]) -> None:
    assert times(spec, after, len(expected)) == [f"{day} 09:00:00" for day in expected]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["*/7 * * * *", "0 9 * * FRI", "5,35 1,3 * * *", "0 0 L * *", "30 2 * * *", "*/25 59 * * * *"]),
    st.integers(1, 30),
    st.datetimes(datetime(2023, 1, 1), datetime(2025, 1, 1)),
    st.integers(0, 40),
)
def test_every_nth_is_each_nth_of_all(schedule: str, n: int, start: datetime, skip: int) -> None:
    """Without changes of the clock: every n-th of what would fire from the start on."""
    start = utc(start.replace(microsecond=0).isoformat())
    every = read((Spec(schedule, starts_at=start),), "")
    expected = [fire.at for fire in every.fires(utc("2022-01-01"), 80)][::n]
    found = read((Spec(schedule, starts_at=start, every_nth=n),), "")
    assert [fire.at for fire in found.fires(utc("2022-01-01"), len(expected))] == expected
    later = expected[min(skip, len(expected) - 1)]
    assert found.next_after(later - timedelta(seconds=1)) == later


@pytest.mark.parametrize("schedule", ["0 0 29 2 *", "0 0 29 2 */7", "43 3 * 2 MON#5"])
def test_nth_of_what_is_rare_is_none_within_the_horizon(schedule: str) -> None:
    plan = read((Spec(schedule, starts_at=utc("1970-01-01"), every_nth=1000),), "")
    assert plan.next_after(utc("2026-01-01")) is None


def test_nth_goes_on_over_changes_of_the_clock() -> None:
    """Every second day at 02:30, though one of them has none and one has two."""
    spec = Spec("30 2 * * *", BERLIN, every_nth=2, starts_at=utc("2024-03-27"))
    assert times(spec, "2024-03-28", 3) == ["2024-03-29 01:30:00", "2024-03-31 01:00:00 gap", "2024-04-02 00:30:00"]
    spec = Spec("30 2 * * *", BERLIN, every_nth=2, starts_at=utc("2024-10-25"))
    assert times(spec, "2024-10-26", 2) == ["2024-10-27 00:30:00 overlap", "2024-10-29 01:30:00"]


def test_a_spread_is_the_same_always_and_differs_from_task_to_task() -> None:
    spec = Spec("0 3 * * *", BERLIN, spread_seconds=600)
    shifts = Counter()
    for n in range(2000):
        one, other = read((spec,), f"team/{n}").fires(utc("2024-06-01 00:00"), 2)
        shift = one.at - utc("2024-06-01 01:00")
        assert other.at - utc("2024-06-02 01:00") == shift
        shifts[shift.total_seconds() // 60] += 1
    assert sorted(shifts) == list(range(10))
    assert max(shifts.values()) < 300


def test_a_spread_keeps_its_place_when_clocks_are_set() -> None:
    plan = read((Spec("30 2 * * *", BERLIN, spread_seconds=3600),), "a")
    shift = plan.fires(utc("2024-06-01"), 1)[0].at - utc("2024-06-01 00:30")
    fire = plan.fires(utc("2024-03-30 12:00"), 1)[0]
    assert (fire.at, fire.mark) == (utc("2024-03-31 01:00") + shift, "gap")


def test_a_fixed_delay_counts_from_the_end() -> None:
    plan = read((Spec("@after 10m"),), "")
    assert plan.waits
    assert plan.next_after(utc("2024-06-01 09:00:00.25")) == utc("2024-06-01 09:10:00")
    assert plan.first(datetime(2024, 6, 1)) == datetime(2024, 6, 1)
    bounded = read((Spec("@after 10m", starts_at=utc("2024-06-02"), ends_at=utc("2024-06-03")),), "")
    assert bounded.waits
    assert bounded.next_after(utc("2024-06-01")) == utc("2024-06-02")
    assert bounded.next_after(utc("2024-06-02 23:50")) is None


def several(*specs: Spec) -> Schedule:
    return read(specs, "team/task")


def test_several_schedules() -> None:
    plan = several(
        Spec("0 9 * * MON-FRI", BERLIN), Spec("0 12 * * SAT", "America/New_York"), Spec("@at 2024-06-08T10:00Z")
    )
    fires = plan.fires(utc("2024-06-06 12:00"), 4)
    assert [fire.at for fire in fires] == list(
        map(utc, ["2024-06-07 07:00", "2024-06-08 10:00", "2024-06-08 16:00", "2024-06-10 07:00"])
    )
    assert [str(fire.local.tzinfo) for fire in fires] == [BERLIN, "UTC", "America/New_York", BERLIN]


def test_what_two_schedules_share_comes_once() -> None:
    plan = several(Spec("*/15 * * * *"), Spec("*/10 * * * *"))
    minutes = [fire.at.minute for fire in plan.fires(utc("2024-06-01 00:59"), 8)]
    assert minutes == [0, 10, 15, 20, 30, 40, 45, 50]


def test_empty_ones_are_left_out() -> None:
    assert several(Spec(""), Spec("0 9 * * *")).next_after(utc("2024-06-01")) == utc("2024-06-01 09:00")
    assert several(Spec(""), Spec("")).next_after(utc("2024-06-01")) is None
    assert several(Spec("")).next_after(utc("2024-06-01")) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["*/7 * * * *", "3 */2 * * *", "@every 11m", "0 2 * * *", ""]), min_size=1, max_size=4))
def test_several_fire_as_each_would(schedules: list[str]) -> None:
    specs = [Spec(text, BERLIN) for text in schedules]
    start, end = utc("2024-10-26 20:00"), utc("2024-10-27 08:00")
    fires = [fire.at for fire in several(*specs).fires(start, 500) if fire.at < end]
    alone = {fire.at for spec in specs for fire in several(spec).fires(start, 500) if fire.at < end}
    assert fires == sorted(alone)
    assert all(one < other for one, other in pairwise(fires))


REFUSED = [
    ([Spec("0 9 * * *", every_nth=2)], "starts_at", "counted from a start"),
    ([Spec("0 9 * * *", every_nth=0)], "every_nth", "from 1 to 1000"),
    ([Spec("0 9 * * *", every_nth=1001)], "every_nth", "from 1 to 1000"),
    ([Spec("@every 1h", every_nth=2, starts_at=utc("2024-01-01"))], "every_nth", "n times as long"),
    ([Spec("0 9 * * *", spread_seconds=-1)], "spread_seconds", "from 0 to 86400"),
    ([Spec("0 9 * * *", spread_seconds=86_401)], "spread_seconds", "from 0 to 86400"),
    ([Spec("@after 5m", spread_seconds=60)], "spread_seconds", "leave it out"),
    ([Spec("0 9 * * *", starts_at=utc("2024-01-02"), ends_at=utc("2024-01-01"))], "ends_at", "after the start"),
    ([Spec("0 9 * * *", starts_at=utc("2024-01-02"), ends_at=utc("2024-01-02"))], "ends_at", "after the start"),
    ([Spec("0 9 * * *", dst_gap="run_before")], "dst_gap", "run_after or skip"),
    ([Spec("0 9 * * *", dst_overlap="none")], "dst_overlap", "first or second or both"),
    ([Spec("@every 1h", dst_gap="skip")], "dst_gap", "goes only with cron, rule, @at"),
    ([Spec("@every 1h", dialect="quartz")], "dialect", "goes only with cron"),
    ([Spec("@every 1h from noon")], "schedule", "not a time"),
    ([Spec("@every from 2024-01-01")], "schedule", "no interval"),
    ([Spec("@after")], "schedule", "no interval"),
    ([Spec("@after 0s")], "schedule", "from 1s"),
    ([Spec("@after 5m"), Spec("0 9 * * *")], "schedule", "one of several"),
    ([Spec("0 9 * * *"), Spec("0 9 * *")], "schedules", "1: schedule: This has 4 fields"),
    ([Spec("0 9 * * *"), Spec("0 9 * * *", "Mars")], "schedules", "1: timezone: Unknown"),
]


@pytest.mark.parametrize(("specs", "field", "message"), REFUSED)
def test_refused(specs: list[Spec], field: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        several(*specs)
    assert caught.value.field == field
    assert message in caught.value.message
