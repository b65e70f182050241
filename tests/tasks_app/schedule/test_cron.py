"""Expectations are worked out by hand from the zones' published rules; all results are in UTC."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks_app.schedule import HORIZON, ScheduleError
from tasks_app.schedule import words as in_words
from tests.plans import parse

BERLIN = "Europe/Berlin"  # 2024: 31 March 02:00 → 03:00 (01:00Z), 27 October 03:00 → 02:00 (01:00Z)
NEW_YORK = "America/New_York"  # 2024: 10 March 02:00 → 03:00 (07:00Z), 3 November 02:00 → 01:00 (06:00Z)
SYDNEY = "Australia/Sydney"  # 2024: 7 April 03:00 → 02:00 (6th 16:00Z), 6 October 02:00 → 03:00 (5th 16:00Z)
LORD_HOWE = "Australia/Lord_Howe"  # 2024: 7 April 02:00 → 01:30 (6th 15:00Z), 6 October 02:00 → 02:30 (5th 15:30Z)
HAVANA = "America/Havana"  # 2024: 10 March 00:00 → 01:00 (05:00Z), 3 November 01:00 → 00:00 (05:00Z)
SANTIAGO = "America/Santiago"  # 2024: 6 April 24:00 → 23:00 (7th 03:00Z), 8 September 00:00 → 01:00 (04:00Z)
KOLKATA = "Asia/Kolkata"  # always +05:30


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PLAIN = [
    # schedule, zone, after, the next fires
    ("* * * * *", "UTC", "2024-01-01 00:00:00", ["2024-01-01 00:01", "2024-01-01 00:02"]),
    ("* * * * *", "UTC", "2024-01-01 00:00:59.999999", ["2024-01-01 00:01", "2024-01-01 00:02"]),
    ("* * * * *", "UTC", "2023-12-31 23:59:00", ["2024-01-01 00:00"]),
    ("*/5 * * * *", "UTC", "2024-01-01 00:04", ["2024-01-01 00:05", "2024-01-01 00:10"]),
    ("*/7 * * * *", "UTC", "2024-01-01 00:50", ["2024-01-01 00:56", "2024-01-01 01:00"]),
    ("5/20 * * * *", "UTC", "2024-01-01 00:00", ["2024-01-01 00:05", "2024-01-01 00:25", "2024-01-01 00:45"]),
    ("10-12 4 * * *", "UTC", "2024-01-01 04:11", ["2024-01-01 04:12", "2024-01-02 04:10"]),
    ("10-20/5 4 * * *", "UTC", "2024-01-01 04:11", ["2024-01-01 04:15", "2024-01-01 04:20", "2024-01-02 04:10"]),
    ("1,30 4,16 * * *", "UTC", "2024-01-01 04:01", ["2024-01-01 04:30", "2024-01-01 16:01"]),
    ("0 3 * * *", "UTC", "2024-01-01 03:00", ["2024-01-02 03:00"]),
    ("0 3 * * *", "UTC", "2024-01-01 02:59:59.5", ["2024-01-01 03:00"]),
    ("*/2 * * * * *", "UTC", "2024-01-01 00:00:00", ["2024-01-01 00:00:02", "2024-01-01 00:00:04"]),
    ("*/2 * * * * *", "UTC", "2024-01-01 00:00:01.5", ["2024-01-01 00:00:02"]),
    ("*/2 * * * * *", "UTC", "2024-12-31 23:59:58", ["2025-01-01 00:00:00"]),
    ("30 15 8 * * *", "UTC", "2024-01-01 08:15:30", ["2024-01-02 08:15:30"]),
    ("15,45 59 23 31 12 *", "UTC", "2024-12-31 23:59:15", ["2024-12-31 23:59:45", "2025-12-31 23:59:15"]),
    ("0 0 1 * *", "UTC", "2024-01-31 00:00", ["2024-02-01 00:00", "2024-03-01 00:00"]),
    ("0 0 31 * *", "UTC", "2024-01-31 00:00", ["2024-03-31 00:00", "2024-05-31 00:00"]),
    ("0 0 29 2 *", "UTC", "2024-02-29 00:00", ["2028-02-29 00:00"]),
    ("0 0 29 2 *", "UTC", "2096-02-29 00:00", ["2104-02-29 00:00"]),
    ("0 0 * 2 MON#5", "UTC", "2072-02-29 00:00", ["2112-02-29 00:00"]),
    ("0 0 29 2 1#5", "UTC", "2024-02-29 00:00", ["2028-02-29 00:00"]),
    ("0 0 L * *", "UTC", "2024-01-31 00:00", ["2024-02-29 00:00", "2024-03-31 00:00"]),
    ("0 0 LW * *", "UTC", "2024-03-01 00:00", ["2024-03-29 00:00", "2024-04-30 00:00"]),
    ("0 0 L,15 * *", "UTC", "2024-02-10 00:00", ["2024-02-15 00:00", "2024-02-29 00:00"]),
    ("0 0 * * 5L", "UTC", "2024-01-01 00:00", ["2024-01-26 00:00", "2024-02-23 00:00"]),
    ("0 0 * * MON#2", "UTC", "2024-01-01 00:00", ["2024-01-08 00:00", "2024-02-12 00:00"]),
    ("0 0 * * 5,MON#2", "UTC", "2024-01-01 00:00", ["2024-01-05 00:00", "2024-01-08 00:00"]),
    ("0 0 * * 0", "UTC", "2024-01-01 00:00", ["2024-01-07 00:00"]),
    ("0 0 * * 7", "UTC", "2024-01-01 00:00", ["2024-01-07 00:00"]),
    ("0 0 * * 6-7", "UTC", "2024-01-01 00:00", ["2024-01-06 00:00", "2024-01-07 00:00", "2024-01-13 00:00"]),
    ("0 0 * * mon-fri", "UTC", "2024-01-05 00:00", ["2024-01-08 00:00"]),
    ("0 0 * jul,AUG *", "UTC", "2024-08-31 00:00", ["2025-07-01 00:00"]),
    ("0 0 13 * FRI", "UTC", "2024-09-01 00:00", ["2024-09-06 00:00", "2024-09-13 00:00", "2024-09-20 00:00"]),
    ("0 0 */13 * FRI", "UTC", "2024-01-01 00:00", ["2024-03-01 00:00", "2024-06-14 00:00"]),
    ("0 0 1-7 * *", "UTC", "2024-01-07 00:00", ["2024-02-01 00:00"]),
    ("*/60 * * * *", "UTC", "2024-01-01 00:00", ["2024-01-01 01:00"]),
    ("  0   3 * * * ", "UTC", "2024-01-01 00:00", ["2024-01-01 03:00"]),
    ("@hourly", "UTC", "2024-01-01 00:00", ["2024-01-01 01:00"]),
    ("@daily", "UTC", "2024-01-01 00:00", ["2024-01-02 00:00"]),
    ("@Midnight", "UTC", "2024-01-01 00:00", ["2024-01-02 00:00"]),
    ("@weekly", "UTC", "2024-01-01 00:00", ["2024-01-07 00:00"]),
    ("@monthly", "UTC", "2024-01-01 00:00", ["2024-02-01 00:00"]),
    ("@yearly", "UTC", "2024-01-01 00:00", ["2025-01-01 00:00"]),
    ("@annually", "UTC", "2024-01-01 00:00", ["2025-01-01 00:00"]),
    ("@every 10s", "UTC", "2024-01-01 00:00:00", ["2024-01-01 00:00:10", "2024-01-01 00:00:20"]),
    ("@every 10s", "UTC", "2024-01-01 00:00:09.999999", ["2024-01-01 00:00:10"]),
    ("@every 1h30m", "UTC", "2024-01-01 00:00", ["2024-01-01 01:30", "2024-01-01 03:00"]),
    ("@every 1d", KOLKATA, "2024-01-01 00:00", ["2024-01-02 00:00"]),
    ("@every 7d", "UTC", "1970-01-01 00:00", ["1970-01-08 00:00"]),
    ("@EVERY  1d2h3m4s", "UTC", "1970-01-01 00:00", ["1970-01-02 02:03:04"]),
    ("@every 366d", "UTC", "1970-01-01 00:00", ["1971-01-02 00:00"]),
    ("@at 2026-01-01T00:00:00Z", BERLIN, "2025-01-01 00:00", ["2026-01-01 00:00"]),
    ("@at 2026-01-01T00:00:00Z", BERLIN, "2026-01-01 00:00", []),
    ("@at 2026-01-01T00:00:00+05:30", BERLIN, "2025-01-01 00:00", ["2025-12-31 18:30"]),
    ("@at 2026-01-01T00:00", BERLIN, "2025-01-01 00:00", ["2025-12-31 23:00"]),
    ("@at 2026-07-01 08:30:15", NEW_YORK, "2025-01-01 00:00", ["2026-07-01 12:30:15"]),
    ("@at 2026-07-01T08:30:15.75", "UTC", "2025-01-01 00:00", ["2026-07-01 08:30:15"]),
    ("", "UTC", "2024-01-01 00:00", []),
    ("   ", "UTC", "2024-01-01 00:00", []),
    ("0 9 * * *", KOLKATA, "2024-01-01 00:00", ["2024-01-01 03:30", "2024-01-02 03:30"]),
    ("15 * * * *", KOLKATA, "2024-01-01 00:00", ["2024-01-01 00:45", "2024-01-01 01:45"]),
    ("0 0 1 1 *", KOLKATA, "2023-12-01 00:00", ["2023-12-31 18:30"]),
    ("0 9 * * *", BERLIN, "2024-06-30 12:00", ["2024-07-01 07:00"]),
    ("0 9 * * *", BERLIN, "2024-12-30 12:00", ["2024-12-31 08:00"]),
]

CHANGES = [
    # gaps, fixed times: once, at the first instant after the gap
    ("30 2 * * *", BERLIN, "2024-03-30 00:00", ["2024-03-30 01:30", "2024-03-31 01:00 gap", "2024-04-01 00:30"]),
    ("0 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00 gap", "2024-04-01 00:00"]),
    ("0 3 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00", "2024-04-01 01:00"]),
    ("0,20,40 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00 gap", "2024-04-01 00:00"]),
    ("30 1-3 * * *", BERLIN, "2024-03-31 00:00", ["2024-03-31 00:30", "2024-03-31 01:00 gap", "2024-03-31 01:30"]),
    ("0 2,3 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00", "2024-04-01 00:00"]),
    ("* 30 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-03-31 01:00 gap", "2024-04-01 00:30"]),
    ("30 2 31 3 *", BERLIN, "2024-01-01 00:00", ["2024-03-31 01:00 gap", "2025-03-31 00:30"]),
    ("30 2 * * *", NEW_YORK, "2024-03-10 00:00", ["2024-03-10 07:00 gap", "2024-03-11 06:30"]),
    ("30 2 * * *", SYDNEY, "2024-10-05 00:00", ["2024-10-05 16:00 gap", "2024-10-06 15:30"]),
    ("15 2 * * *", LORD_HOWE, "2024-10-05 00:00", ["2024-10-05 15:30 gap", "2024-10-06 15:15"]),
    ("30 2 * * *", LORD_HOWE, "2024-10-05 00:00", ["2024-10-05 15:30", "2024-10-06 15:30"]),
    ("0 0 * * *", HAVANA, "2024-03-09 12:00", ["2024-03-10 05:00 gap", "2024-03-11 04:00"]),
    ("@daily", HAVANA, "2024-03-09 12:00", ["2024-03-10 05:00 gap", "2024-03-11 04:00"]),
    ("0 0 * * *", SANTIAGO, "2024-09-07 12:00", ["2024-09-08 04:00 gap", "2024-09-09 03:00"]),
    (
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-29 12:00",
        ["2011-12-29 22:00", "2011-12-30 10:00 gap", "2011-12-30 22:00"],
    ),
    ("@at 2024-03-31T02:30", BERLIN, "2024-01-01 00:00", ["2024-03-31 01:00 gap"]),
    # gaps, elapsed time: what does not exist does not fire
    ("0 * * * *", BERLIN, "2024-03-31 00:00", ["2024-03-31 01:00", "2024-03-31 02:00"]),
    ("*/30 * * * *", BERLIN, "2024-03-31 00:00", ["2024-03-31 00:30", "2024-03-31 01:00", "2024-03-31 01:30"]),
    ("*/30 2 * * *", BERLIN, "2024-03-30 12:00", ["2024-04-01 00:00", "2024-04-01 00:30"]),
    ("30 */2 * * *", BERLIN, "2024-03-31 00:00", ["2024-03-31 02:30"]),
    ("15 * * * *", LORD_HOWE, "2024-10-05 14:30", ["2024-10-05 14:45", "2024-10-05 16:15"]),
    ("*/20 * * * *", HAVANA, "2024-03-10 04:30", ["2024-03-10 04:40", "2024-03-10 05:00"]),
    ("*/2 59 1 * * *", BERLIN, "2024-03-31 00:59:56", ["2024-03-31 00:59:58", "2024-03-31 23:59:00"]),
    ("* 2 * * * *", BERLIN, "2024-03-31 00:02:59", ["2024-03-31 01:02:00"]),
    # repeated hours, fixed times: the first pass only
    ("30 2 * * *", BERLIN, "2024-10-26 12:00", ["2024-10-27 00:30 overlap", "2024-10-28 01:30"]),
    ("30 2 * * *", BERLIN, "2024-10-27 01:10", ["2024-10-28 01:30"]),
    ("0,30 2,3 * * *", BERLIN, "2024-10-27 00:30", ["2024-10-27 02:00", "2024-10-27 02:30"]),
    ("0 3 * * *", BERLIN, "2024-10-27 01:30", ["2024-10-27 02:00"]),
    ("0 3 * * *", BERLIN, "2024-10-27 00:30", ["2024-10-27 02:00"]),
    ("59 59 2 * * *", BERLIN, "2024-10-27 00:00", ["2024-10-27 00:59:59 overlap", "2024-10-28 01:59:59"]),
    ("30 1 * * *", NEW_YORK, "2024-11-03 00:00", ["2024-11-03 05:30 overlap", "2024-11-04 06:30"]),
    ("0 2 * * *", NEW_YORK, "2024-11-03 00:00", ["2024-11-03 07:00", "2024-11-04 07:00"]),
    ("30 2 * * *", SYDNEY, "2024-04-06 00:00", ["2024-04-06 15:30 overlap", "2024-04-07 16:30"]),
    ("45 1 * * *", LORD_HOWE, "2024-04-06 00:00", ["2024-04-06 14:45 overlap", "2024-04-07 15:15"]),
    ("15 1 * * *", LORD_HOWE, "2024-04-06 00:00", ["2024-04-06 14:15", "2024-04-07 14:45"]),
    ("0 0 * * *", HAVANA, "2024-11-02 12:00", ["2024-11-03 04:00 overlap", "2024-11-04 05:00"]),
    ("30 23 * * *", SANTIAGO, "2024-04-06 12:00", ["2024-04-07 02:30 overlap", "2024-04-08 03:30"]),
    ("@at 2024-10-27T02:30", BERLIN, "2024-01-01 00:00", ["2024-10-27 00:30 overlap"]),
    # repeated hours, elapsed time: both passes
    (
        "30 * * * *",
        BERLIN,
        "2024-10-27 00:00",
        ["2024-10-27 00:30 overlap", "2024-10-27 01:30 overlap", "2024-10-27 02:30"],
    ),
    ("*/30 2 * * *", BERLIN, "2024-10-27 00:10", ["2024-10-27 00:30 overlap", "2024-10-27 01:00 overlap"]),
    (
        "*/30 2 * * *",
        BERLIN,
        "2024-10-27 00:30",
        ["2024-10-27 01:00 overlap", "2024-10-27 01:30 overlap", "2024-10-28 01:00"],
    ),
    (
        "*/40 2 27 10 *",
        BERLIN,
        "2024-02-01 00:00",
        ["2024-10-27 00:00 overlap", "2024-10-27 00:40 overlap", "2024-10-27 01:00 overlap"],
    ),
    (
        "*/30 2 26,27 10 *",
        BERLIN,
        "2023-10-29 01:40",
        ["2024-10-26 00:00", "2024-10-26 00:30", "2024-10-27 00:00 overlap"],
    ),
    ("*/30 1 * * *", NEW_YORK, "2024-11-03 05:00", ["2024-11-03 05:30 overlap", "2024-11-03 06:00 overlap"]),
    (
        "45 * * * *",
        LORD_HOWE,
        "2024-04-06 14:00",
        ["2024-04-06 14:45 overlap", "2024-04-06 15:15 overlap", "2024-04-06 16:15"],
    ),
    ("*/30 * * * *", SANTIAGO, "2024-04-07 02:00", ["2024-04-07 02:30 overlap", "2024-04-07 03:00 overlap"]),
    (
        "0 * * * *",
        HAVANA,
        "2024-11-03 03:30",
        ["2024-11-03 04:00 overlap", "2024-11-03 05:00 overlap", "2024-11-03 06:00"],
    ),
    ("*/20 59 * * * *", BERLIN, "2024-10-27 00:59:30", ["2024-10-27 00:59:40 overlap", "2024-10-27 01:59:00 overlap"]),
    # intervals know no clocks
    (
        "@every 30m",
        BERLIN,
        "2024-10-27 00:10",
        ["2024-10-27 00:30 overlap", "2024-10-27 01:00 overlap", "2024-10-27 01:30 overlap"],
    ),
    ("@every 1h", BERLIN, "2024-03-31 00:00", ["2024-03-31 01:00", "2024-03-31 02:00"]),
]


def rows(schedule: str, zone: str, after: str, count: int) -> list[str]:
    fires = parse(schedule, zone).fires(utc(after), count)
    return [f"{fire.at:%Y-%m-%d %H:%M:%S} {fire.mark}".strip() for fire in fires]


def full(row: str) -> str:
    day, clock, *mark = row.split()
    return " ".join([day, clock if clock.count(":") == 2 else f"{clock}:00", *mark])


@pytest.mark.parametrize(("schedule", "zone", "after", "expected"), PLAIN + CHANGES)
def test_fires(schedule: str, zone: str, after: str, expected: list[str]) -> None:
    assert rows(schedule, zone, after, max(len(expected), 1)) == [full(row) for row in expected]


def test_fire_has_local_time_of_its_zone() -> None:
    (fire,) = parse("30 2 * * *", BERLIN).fires(utc("2024-10-26 12:00"), 1)
    assert (fire.at.tzinfo, fire.local.isoformat()) == (UTC, "2024-10-27T02:30:00+02:00")
    assert fire.local.astimezone(UTC) == fire.at
    assert parse("* * * * *", BERLIN).fires(utc("2024-10-26 12:00"), 0) == []


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "Only when triggered by hand"),
        ("0 3 * * *", "At 03:00"),
        ("*/2 * * * * *", "Every 2 seconds"),
        ("30 2 * * mon-fri", "At 02:30, Monday through Friday"),
        ("@hourly", "Every hour"),
        ("0 0 */2 * MON", "At 00:00 on every second day of month if it's on Monday"),
        ("0 0 * * 5,MON#2", "At 00:00 on Friday and the second Monday of the month"),
        ("0 0 L,15 * *", "At 00:00 on the last and the 15th day of month"),
        ("@every 1h30m", "Every 1 hour 30 minutes"),
        ("@every 86400s", "Every 1 day"),
        ("@at 2026-07-01T08:30", "Once, at 2026-07-01 08:30:00 Europe/Berlin"),
        ("@at 2026-07-01T08:30Z", "Once, at 2026-07-01 10:30:00 Europe/Berlin"),
    ],
)
def test_words(schedule: str, words: str) -> None:
    assert in_words(parse(schedule, BERLIN)) == words


@pytest.mark.parametrize("schedule", ["0 3 * * *", "*/5 * * * *", "@every 10s", "@at 2026-01-01", ""])
@pytest.mark.parametrize("zone", [SYDNEY, NEW_YORK])
def test_the_ends_of_the_calendar(schedule: str, zone: str) -> None:
    plan = parse(schedule, zone)
    assert plan.next_after(datetime.max.replace(tzinfo=UTC)) is None
    first = plan.next_after(datetime.min.replace(tzinfo=UTC))
    assert (first is None) == (schedule == "")
    assert (plan.next_after(utc("9899-12-31 23:59:59")) is None) == (schedule in ("", "@at 2026-01-01"))


def test_after_may_be_in_any_zone() -> None:
    after = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo(BERLIN), fold=1)
    assert parse("*/30 * * * *", BERLIN).next_after(after) == utc("2024-10-27 02:00")
    assert parse("*/30 * * * *", BERLIN).next_after(after.replace(fold=0)) == utc("2024-10-27 01:00")


# --- against a clock that is read minute by minute


@st.composite
def fields(draw: st.DrawFn, size: int) -> tuple[str, set[int]]:
    """The text of a field and the numbers it means."""
    numbers = st.integers(0, size - 1)
    kind = draw(st.sampled_from(["*", "step", "list", "range"]))
    if kind == "step":
        step = draw(st.integers(1, size))
        return f"*/{step}", set(range(0, size, step))
    if kind == "list":
        chosen = draw(st.lists(numbers, min_size=1, max_size=4))
        return ",".join(map(str, chosen)), set(chosen)
    if kind == "range":
        low, high = sorted((draw(numbers), draw(numbers)))
        return f"{low}-{high}", set(range(low, high + 1))
    return "*", set(range(size))


CROSSINGS = [
    (BERLIN, "2024-03-31 01:00"),
    (BERLIN, "2024-10-27 01:00"),
    (NEW_YORK, "2024-03-10 07:00"),
    (NEW_YORK, "2024-11-03 06:00"),
    (SYDNEY, "2024-10-05 16:00"),
    (SYDNEY, "2024-04-06 16:00"),
    (LORD_HOWE, "2024-10-05 15:30"),
    (LORD_HOWE, "2024-04-06 15:00"),
    (HAVANA, "2024-03-10 05:00"),
    (HAVANA, "2024-11-03 05:00"),
    (SANTIAGO, "2024-09-08 04:00"),
    (SANTIAGO, "2024-04-07 03:00"),
    (KOLKATA, "2024-04-07 03:00"),
    ("UTC", "2024-02-29 00:00"),
]
MINUTE = timedelta(minutes=1)
AROUND = 2 * 24 * 60
"""Minutes looked at on either side of a crossing."""


@cache
def clock(zone: str, crossing: str) -> list[tuple[datetime, datetime]]:
    """Instants and what the clock on the wall shows then."""
    instants = [utc(crossing) + n * MINUTE for n in range(-AROUND, AROUND)]
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)) for at in instants]


@cache
def nominal(zone: str, crossing: str) -> list[tuple[datetime, datetime]]:
    """Every local minute, with the instant that a fixed job runs for it."""
    found: list[tuple[datetime, datetime]] = []
    for at, wall in clock(zone, crossing):
        expected = found[-1][1] + MINUTE if found else wall
        while expected <= wall:  # goes round once as a rule, often after a gap, never in a repeated hour
            found.append((at, expected))
            expected += MINUTE
    return found


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CROSSINGS), fields(60), fields(24), fields(7), st.integers(-AROUND, AROUND - 1))
@example((BERLIN, "2024-03-31 01:00"), ("0,30", {0, 30}), ("2", {2}), ("*", set(range(7))), -AROUND)
@example((BERLIN, "2024-10-27 01:00"), ("*", set(range(60))), ("2", {2}), ("*", set(range(7))), -30)
@example((LORD_HOWE, "2024-04-06 15:00"), ("45", {45}), ("*", set(range(24))), ("*", set(range(7))), -16)
def test_cron_agrees_with_reading_the_clock(
    crossing: tuple[str, str],
    minutes: tuple[str, set[int]],
    hours: tuple[str, set[int]],
    weekdays: tuple[str, set[int]],
    start: int,
) -> None:
    elapsed = minutes[0].startswith("*") or hours[0].startswith("*")
    after, end = utc(crossing[1]) + start * MINUTE, utc(crossing[1]) + AROUND * MINUTE
    expected = {
        at
        for at, wall in (clock(*crossing) if elapsed else nominal(*crossing))
        if at > after and wall.minute in minutes[1] and wall.hour in hours[1] and wall.isoweekday() % 7 in weekdays[1]
    }
    plan = parse(f"{minutes[0]} {hours[0]} * * {weekdays[0]}", crossing[0])
    found: list[datetime] = []
    while len(found) <= len(expected) and (at := plan.next_after(found[-1] if found else after)) and at < end:
        found.append(at)
    assert found == sorted(expected)


zones = st.sampled_from([BERLIN, NEW_YORK, SYDNEY, LORD_HOWE, HAVANA, SANTIAGO, KOLKATA, "UTC", "Africa/Casablanca"])
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@settings(max_examples=100, deadline=None)
@given(zones, moments, st.lists(fields(60), min_size=2, max_size=2), fields(24))
def test_fires_only_go_forward(
    zone: str, after: datetime, small: list[tuple[str, set[int]]], hours: tuple[str, set[int]]
) -> None:
    fires = parse(f"{small[0][0]} {small[1][0]} {hours[0]} * * *", zone).fires(after, 50)
    assert len(fires) == 50
    assert all(one < other for one, other in pairwise([after, *(fire.at for fire in fires)]))


@given(zones, moments, st.integers(1, 366 * 86_400))
def test_intervals_need_no_memory(zone: str, after: datetime, seconds: int) -> None:
    plan = parse(f"@every {seconds}s", zone)
    following = plan.next_after(after)
    assert following is not None
    assert int(following.timestamp()) % seconds == 0
    assert timedelta(0) < following - after <= timedelta(seconds=seconds)
    assert plan.next_after(following) == following + timedelta(seconds=seconds)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.text("0123456789*/,-#LW?MONJAN@ evrydsmhat:TZ", max_size=8), max_size=8))
def test_any_text_is_read_or_refused(parts: list[str]) -> None:
    with suppress(ScheduleError):
        plan = parse(" ".join(parts), BERLIN)
        plan.fires(utc("2024-01-01 00:00"), 3)
        assert in_words(plan)


def test_horizon_covers_the_rarest_day() -> None:
    gaps = [
        later.year - earlier.year
        for day in range(7)
        for earlier, later in pairwise(
            fire.at for fire in parse(f"0 0 * 2 {day}#5", "UTC").fires(utc("2024-01-01 00:00"), 60)
        )
    ]
    assert max(gaps) == 40 < HORIZON
