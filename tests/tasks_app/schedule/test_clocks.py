"""What happens when clocks are set, by every choice: tables worked out by hand, then against reading the clock.

All results are in UTC. In 2024: Berlin 31 March 01:00Z and 27 October 01:00Z; New York 10 March 07:00Z and 3 November
06:00Z; Santiago (southern, at midnight) 7 April 03:00Z back and 8 September 04:00Z on; Lord Howe (southern, by half an
hour) 6 April 15:00Z back and 5 October 15:30Z on; Havana (at midnight) 10 March 05:00Z on and 3 November 05:00Z back;
Cairo (at midnight) 25 April 22:00Z on, 31 October 21:00Z back; Troll (by two hours) 31 March 01:00Z and 27 October
01:00Z.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.schedule import ScheduleError, Spec, read
from tests.tasks_app.schedule.test_cron import BERLIN, HAVANA, LORD_HOWE, NEW_YORK, SANTIAGO, fields, full, utc
from tests.tasks_app.schedule.test_dialects import times

CAIRO = "Africa/Cairo"
TROLL = "Antarctica/Troll"

GAPS = [
    # schedule, zone, after, what `run_after` gives, what `skip` gives
    ("30 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00 gap", "2024-04-01 00:30"], ["2024-04-01 00:30"]),
    ("0 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00 gap"], ["2024-04-01 00:00"]),
    ("0 3 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00"], ["2024-03-31 01:00"]),
    ("59 1 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 00:59"], ["2024-03-31 00:59"]),
    ("0,30 2,3 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00", "2024-03-31 01:30"], ["2024-03-31 01:00"]),
    ("*/20 * * * *", BERLIN, "2024-03-31 00:50", ["2024-03-31 01:00", "2024-03-31 01:20"], ["2024-03-31 01:00"]),
    ("*/20 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00 gap", "2024-04-01 00:00"], ["2024-04-01 00:00"]),
    ("30 * * * *", BERLIN, "2024-03-31 00:30", ["2024-03-31 01:00 gap", "2024-03-31 01:30"], ["2024-03-31 01:30"]),
    ("30 2 31 3 *", BERLIN, "2024-01-01", ["2024-03-31 01:00 gap", "2025-03-31 00:30"], ["2025-03-31 00:30"]),
    ("15 2 * * *", NEW_YORK, "2024-03-09 12:00", ["2024-03-10 07:00 gap"], ["2024-03-11 06:15"]),
    ("0 0 * * *", SANTIAGO, "2024-09-07 12:00", ["2024-09-08 04:00 gap"], ["2024-09-09 03:00"]),
    ("0 0 8 9 *", SANTIAGO, "2024-01-01", ["2024-09-08 04:00 gap", "2025-09-08 03:00"], ["2025-09-08 03:00"]),
    ("15 2 * * *", LORD_HOWE, "2024-10-05 00:00", ["2024-10-05 15:30 gap"], ["2024-10-06 15:15"]),
    ("29,30 2 * * *", LORD_HOWE, "2024-10-05 00:00", ["2024-10-05 15:30", "2024-10-06 15:29"], ["2024-10-05 15:30"]),
    ("30 0 * * *", HAVANA, "2024-03-09 12:00", ["2024-03-10 05:00 gap"], ["2024-03-11 04:30"]),
    ("0 0 26 4 *", CAIRO, "2024-01-01", ["2024-04-25 22:00 gap", "2025-04-25 21:00"], ["2025-04-25 21:00"]),
    ("0 1,2 * * *", TROLL, "2024-03-30 12:00", ["2024-03-31 01:00 gap", "2024-03-31 23:00"], ["2024-03-31 23:00"]),
    ("@at 2024-03-31T02:30", BERLIN, "2024-01-01", ["2024-03-31 01:00 gap"], None),
    (
        "DTSTART:20240329T023000 RRULE:FREQ=DAILY",
        BERLIN,
        "2024-03-30 12:00",
        ["2024-03-31 01:00 gap", "2024-04-01 00:30"],
        ["2024-04-01 00:30"],
    ),
]

OVERLAPS = [
    # schedule, zone, after, what `first` gives, what `second` gives; `both` gives both
    ("30 2 * * *", BERLIN, "2024-10-26 12:00", "2024-10-27 00:30", "2024-10-27 01:30"),
    ("0 2 * * *", BERLIN, "2024-10-26 12:00", "2024-10-27 00:00", "2024-10-27 01:00"),
    ("59 2 * * *", BERLIN, "2024-10-26 12:00", "2024-10-27 00:59", "2024-10-27 01:59"),
    ("*/60 2 * * *", BERLIN, "2024-10-26 12:00", "2024-10-27 00:00", "2024-10-27 01:00"),
    ("30 1 * * *", NEW_YORK, "2024-11-02 12:00", "2024-11-03 05:30", "2024-11-03 06:30"),
    ("30 23 6 4 *", SANTIAGO, "2024-01-01", "2024-04-07 02:30", "2024-04-07 03:30"),
    ("45 1 7 4 *", LORD_HOWE, "2024-01-01", "2024-04-06 14:45", "2024-04-06 15:15"),
    ("0 0 * * *", HAVANA, "2024-11-02 12:00", "2024-11-03 04:00", "2024-11-03 05:00"),
    ("30 23 31 10 *", CAIRO, "2024-01-01", "2024-10-31 20:30", "2024-10-31 21:30"),
    ("30 1 27 10 *", TROLL, "2024-01-01", "2024-10-26 23:30", "2024-10-27 01:30"),
    ("30 2 27 10 *", TROLL, "2024-01-01", "2024-10-27 00:30", "2024-10-27 02:30"),
    ("@at 2024-10-27T02:30", BERLIN, "2024-01-01", "2024-10-27 00:30", "2024-10-27 01:30"),
    ("DTSTART:20241001T023000 RRULE:FREQ=DAILY", BERLIN, "2024-10-26 12:00", "2024-10-27 00:30", "2024-10-27 01:30"),
]


@pytest.mark.parametrize(("schedule", "zone", "after", "run_after", "skip"), GAPS)
def test_gaps(schedule: str, zone: str, after: str, run_after: list[str], skip: list[str] | None) -> None:
    spec = Spec(schedule, zone, dst_gap="run_after")
    assert times(spec, after, len(run_after)) == [full(row) for row in run_after]
    if skip is None:
        with pytest.raises(ScheduleError, match="never fires"):
            read((replace(spec, dst_gap="skip"),), "")
    else:
        assert times(replace(spec, dst_gap="skip"), after, len(skip)) == [full(row) for row in skip]


@pytest.mark.parametrize(("schedule", "zone", "after", "first", "second"), OVERLAPS)
def test_overlaps(schedule: str, zone: str, after: str, first: str, second: str) -> None:
    spec = Spec(schedule, zone)
    one, other = f"{first}:00 overlap", f"{second}:00 overlap"
    assert times(replace(spec, dst_overlap="first"), after, 1) == [one]
    assert times(replace(spec, dst_overlap="first"), first, 1) != [other]
    assert times(replace(spec, dst_overlap="second"), after, 1) == [other]
    assert times(replace(spec, dst_overlap="both"), after, 2) == [one, other]


def test_every_minute_by_choice() -> None:
    """Of 120 minutes in which the clock shows 02:00-02:59 twice."""
    spec = Spec("* * * * *", BERLIN)
    counts = {}
    for overlap in ("", "first", "second", "both"):
        fires = read((replace(spec, dst_overlap=overlap),), "").fires(utc("2024-10-26 23:59"), 120)
        counts[overlap] = sum(utc("2024-10-27 00:00") <= fire.at < utc("2024-10-27 02:00") for fire in fires)
    assert counts == {"": 120, "first": 60, "second": 60, "both": 120}


# --- against a clock that is read minute by minute

ZONES = [
    *(BERLIN, NEW_YORK, SANTIAGO, LORD_HOWE, HAVANA, CAIRO, TROLL, "UTC", "Asia/Kolkata"),
    *("Europe/London", "America/St_Johns", "Australia/Adelaide", "Pacific/Auckland", "Pacific/Chatham"),
    *("Asia/Beirut", "Atlantic/Azores", "America/Asuncion", "Africa/Casablanca"),
]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
AROUND = 30 * 60
"""Minutes looked at on either side of a crossing."""


@cache
def crossings() -> list[tuple[str, datetime]]:
    """Every change of a clock in four years, to the hour; the start of each year where there is none."""
    found = []
    for name in ZONES:
        zone, at = ZoneInfo(name), utc("2023-01-01")
        seen = [(name, at + n * 366 * 24 * HOUR) for n in range(4)]
        while at < utc("2027-01-01"):
            if at.astimezone(zone).utcoffset() != (at + HOUR).astimezone(zone).utcoffset():
                seen.append((name, at))
            at += HOUR
        found += seen
    return found


@cache
def clock(name: str, crossing: datetime) -> list[tuple[datetime, datetime, str, list[datetime]]]:
    """Instants; what the clock on the wall shows then; which pass of a repeated hour that is; what it left out."""
    zone = ZoneInfo(name)
    found, before = [], (crossing - (AROUND + 1) * MINUTE).astimezone(zone).replace(tzinfo=None)
    for n in range(-AROUND, AROUND):
        at = crossing + n * MINUTE
        wall = at.astimezone(zone).replace(tzinfo=None)
        local = wall.replace(tzinfo=zone, fold=0)
        twice = local.utcoffset() > local.replace(fold=1).utcoffset()
        left_out = [before + n * MINUTE for n in range(1, (wall - before) // MINUTE)]
        found.append((at, wall, ("second" if wall.fold else "first") if twice else "", left_out))
        before = wall
    return found


days_of_month = st.one_of(
    st.just("*"), st.lists(st.integers(1, 31), min_size=1, max_size=6).map(lambda days: ",".join(map(str, days)))
)


@settings(max_examples=5000, deadline=None)
@given(
    st.integers(0, 10_000),
    fields(60),
    fields(24),
    days_of_month,
    fields(7),
    st.sampled_from(["", "run_after", "skip"]),
    st.sampled_from(["", "first", "second", "both"]),
)
def test_cron_agrees_with_reading_the_clock_by_every_choice(
    place: int,
    minutes: tuple[str, set[int]],
    hours: tuple[str, set[int]],
    days: str,
    weekdays: tuple[str, set[int]],
    gap: str,
    overlap: str,
) -> None:
    name, crossing = crossings()[place % len(crossings())]
    wanted = set(range(1, 32)) if days == "*" else set(map(int, days.split(",")))
    starred = days == "*" or weekdays[0].startswith("*")

    def due(wall: datetime) -> bool:
        if wall.minute not in minutes[1] or wall.hour not in hours[1]:
            return False
        by_month, by_week = wall.day in wanted, wall.isoweekday() % 7 in weekdays[1]
        return (by_month and by_week) if starred else (by_month or by_week)

    elapsed = minutes[0].startswith("*") or hours[0].startswith("*")
    gap_rule = gap or ("skip" if elapsed else "run_after")
    overlap_rule = overlap or ("both" if elapsed else "first")
    seen = clock(name, crossing)
    expected = [
        at
        for at, wall, which, left_out in seen[1:]
        if (due(wall) and (not which or overlap_rule in ("both", which)))
        or (gap_rule == "run_after" and any(map(due, left_out)))
    ]
    spec = Spec(f"{minutes[0]} {hours[0]} {days} * {weekdays[0]}", name, dst_gap=gap, dst_overlap=overlap)
    try:
        plan = read((spec,), "")
    except ScheduleError:
        assert expected == []
        return
    found, after = [], seen[0][0]
    while (at := plan.next_after(after)) and at <= seen[-1][0]:
        found.append(at)
        after = at
    assert found == expected
