"""Recurrence rules: examples of RFC 5545 worked out by hand, then against python-dateutil."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from unittest.mock import patch

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.schedule import ScheduleError, Spec, read
from tasks_app.schedule.reading import _read
from tests.tasks_app.schedule.test_cron import BERLIN, NEW_YORK, full, utc
from tests.tasks_app.schedule.test_dialects import times

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]

# New York: until 10 November 2024 and from 3 November on 09:00 is 14:00Z, in summer 13:00Z.
EXAMPLES = [
    ("19970902T090000", "FREQ=DAILY;COUNT=10", "1997-09-10", ["1997-09-10 13:00", "1997-09-11 13:00"]),
    ("19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000Z", "1997-12-22 20:00", ["1997-12-23 14:00"]),
    ("19970902T090000", "FREQ=DAILY;INTERVAL=2", "1997-09-02 13:00", ["1997-09-04 13:00", "1997-09-06 13:00"]),
    ("19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-10-01", ["1997-10-02 13:00", "1997-10-12 13:00"]),
    ("19980101T090000", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO", "2000-01-30", ["2000-01-30 14:00"]),
    ("19970902T090000", "FREQ=WEEKLY;COUNT=10", "1997-10-20", ["1997-10-21 13:00", "1997-10-28 14:00"]),
    ("19970902T090000", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09-03", ["1997-09-16 13:00", "1997-09-30 13:00"]),
    (
        "19970902T090000",
        "FREQ=WEEKLY;WKST=SU;BYDAY=TU,TH",
        "1997-09-02 13:00",
        ["1997-09-04 13:00", "1997-09-09 13:00"],
    ),
    (
        "19970805T090000",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "1997-08-01",
        ["1997-08-05 13:00", "1997-08-10 13:00", "1997-08-19 13:00", "1997-08-24 13:00"],
    ),
    (
        "19970805T090000",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "1997-08-01",
        ["1997-08-05 13:00", "1997-08-17 13:00", "1997-08-19 13:00", "1997-08-31 13:00"],
    ),
    (
        "19970905T090000",
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09-05 13:00",
        ["1997-10-03 13:00", "1997-11-07 14:00"],
    ),
    (
        "19970907T090000",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU",
        "1997-09-08",
        ["1997-09-28 13:00", "1997-11-02 14:00"],
    ),
    ("19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-01", ["1997-09-22 13:00", "1997-10-20 13:00"]),
    ("19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-01", ["1997-09-28 13:00", "1997-10-29 14:00"]),
    ("19970902T090000", "FREQ=MONTHLY;BYMONTHDAY=2,15", "1997-09-03", ["1997-09-15 13:00", "1997-10-02 13:00"]),
    ("19970930T090000", "FREQ=MONTHLY;BYMONTHDAY=1,-1", "1997-09-01", ["1997-09-30 13:00", "1997-10-01 13:00"]),
    ("19970910T090000", "FREQ=MONTHLY;INTERVAL=18;BYMONTHDAY=10,11", "1997-09-12", ["1999-03-10 14:00"]),
    ("19970902T090000", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "1997-09-30 13:00", ["1997-11-04 14:00"]),
    ("19970610T090000", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "1997-06-11", ["1997-07-10 13:00", "1998-06-10 13:00"]),
    ("19970310T090000", "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,2,3", "1997-03-11", ["1999-01-10 14:00", "1999-02-10 14:00"]),
    (
        "19970101T090000",
        "FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,100,200",
        "1997-01-02",
        ["1997-04-10 13:00", "1997-07-19 13:00"],
    ),
    ("19970519T090000", "FREQ=YEARLY;BYDAY=20MO", "1997-01-01", ["1997-05-19 13:00", "1998-05-18 13:00"]),
    ("19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-01-01", ["1997-05-12 13:00", "1998-05-11 13:00"]),
    ("19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997-03-28", ["1998-03-05 14:00", "1998-03-12 14:00"]),
    ("19970902T090000", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1997-09-01", ["1998-02-13 14:00", "1998-03-13 14:00"]),
    ("19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-14", ["1997-10-11 13:00"]),
    (
        "19961105T090000",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1997-01-01",
        ["2000-11-07 14:00", "2004-11-02 14:00"],
    ),
    (
        "19970904T090000",
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "1997-09-05",
        ["1997-10-07 13:00", "1997-11-06 14:00"],
    ),
    (
        "19970929T090000",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09-30",
        ["1997-10-30 14:00", "1997-11-27 14:00"],
    ),
    (
        "19970902T090000",
        "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,30",
        "1997-09-02 14:00",
        ["1997-09-02 14:30", "1997-09-03 13:00", "1997-09-03 13:30", "1997-09-03 14:00"],
    ),
    (
        "20070115T090000",
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "2007-01-16",
        ["2007-01-30 14:00", "2007-02-15 14:00"],
    ),
    ("19970902", "FREQ=DAILY", "1997-09-02 05:00", ["1997-09-03 04:00"]),
    ("20240229T090000", "FREQ=YEARLY", "2024-03-01", ["2028-02-29 14:00"]),
    ("20240131T090000", "FREQ=MONTHLY", "2024-02-01", ["2024-03-31 13:00", "2024-05-31 13:00"]),
]

START = "DTSTART:20260105T090000 RRULE:"
REFUSED = [
    ("RRULE:FREQ=DAILY", "counts from its start"),
    ("RRULE:", "is written"),
    ("RRULE FREQ=DAILY", "is written"),
    ("DTSTART:20260101T090000", "is written"),
    ("DTSTART:tomorrow RRULE:FREQ=DAILY", "DTSTART cannot be read"),
    ("DTSTART:20260230T090000 RRULE:FREQ=DAILY", "DTSTART cannot be read"),
    ("DTSTART;TZID=Asia/Tokyo:20260101T090000 RRULE:FREQ=DAILY", "leave out TZID"),
    (START + "FREQ=HOURLY", "for shorter periods"),
    (START + "FREQ=FORTNIGHTLY", "none of YEARLY"),
    (START + "INTERVAL=2", "FREQ= is none"),
    (START + "FREQ=DAILY;FREQ=WEEKLY", "FREQ twice"),
    (START + "FREQ=DAILY;BYFOO=1", '"BYFOO" cannot be read'),
    (START + "FREQ=DAILY;BYHOUR", '"BYHOUR" cannot be read'),
    (START + "FREQ=DAILY;BYHOUR=24", "use numbers 0-23"),
    (START + "FREQ=DAILY;INTERVAL=0", "use one number 1-1000"),
    (START + "FREQ=DAILY;INTERVAL=1,2", "use one number"),
    (START + "FREQ=DAILY;COUNT=1001", "1-1000"),
    (START + "FREQ=DAILY;COUNT=5;UNTIL=20270101", "COUNT or UNTIL"),
    (START + "FREQ=DAILY;UNTIL=20200101", "never fires"),
    (START + "FREQ=WEEKLY;BYMONTHDAY=1", "does not go with FREQ=WEEKLY"),
    (START + "FREQ=MONTHLY;BYWEEKNO=1", "does not go with FREQ=MONTHLY"),
    (START + "FREQ=WEEKLY;BYDAY=1MO", "BYDAY with a number"),
    (START + "FREQ=WEEKLY;BYDAY=XX", "use MO-SU"),
    (START + "FREQ=MONTHLY;BYDAY=54MO", "use MO-SU"),
    (START + "FREQ=MONTHLY;BYMONTHDAY=0", "from the end"),
    (START + "FREQ=WEEKLY;WKST=XX", "no day of the week"),
    (START + "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never fires"),
    (START + "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never fires"),
    (START + "FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366", None),
    ("DTSTART:20250105T090000 RRULE:FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366", "never fires"),
]


@pytest.mark.parametrize(("start", "rule", "after", "expected"), EXAMPLES)
def test_examples(start: str, rule: str, after: str, expected: list[str]) -> None:
    spec = Spec(f"DTSTART:{start} RRULE:{rule}", NEW_YORK)
    assert times(spec, after, len(expected)) == [full(row) for row in expected]


@pytest.mark.parametrize(("schedule", "message"), REFUSED)
def test_refused(schedule: str, message: str | None) -> None:
    if message is None:
        assert times(Spec(schedule), "2026-01-01", 1) == ["2028-12-31 09:00:00"]
        return
    with pytest.raises(ScheduleError, match=message) as caught:
        read((Spec(schedule),), "")
    assert caught.value.field == "schedule"


def test_the_start_of_the_schedule_is_that_of_the_rule() -> None:
    spec = Spec("RRULE:FREQ=WEEKLY", BERLIN, starts_at=utc("2026-01-06 08:00"))
    assert times(spec, "2026-01-01", 2) == ["2026-01-06 08:00:00", "2026-01-13 08:00:00"]


def test_it_ends_with_its_count() -> None:
    plan = read((Spec(START + "FREQ=DAILY;COUNT=3"),), "")
    assert len(plan.fires(utc("2026-01-01"), 10)) == 3
    assert plan.next_after(utc("2026-01-07 09:00")) is None


@pytest.mark.parametrize("frequency", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"])
def test_periods_beyond_the_calendar_are_none(frequency: str) -> None:
    plan = read((Spec(f"DTSTART:98990131T090000 RRULE:FREQ={frequency};INTERVAL=1000;COUNT=100"),), "")
    assert plan.next_after(utc("9898-12-31")) == utc("9899-01-31 09:00")


@pytest.mark.parametrize("week_start", WEEKDAYS)
def test_a_chosen_week_goes_over_new_year(week_start: str) -> None:
    rule = f"FREQ=WEEKLY;BYDAY={','.join(WEEKDAYS)};BYSETPOS=1;WKST={week_start}"
    plan = read((Spec(f"DTSTART:20251201T090000 RRULE:{rule}"),), "")
    found = [fire.at for fire in plan.fires(utc("2025-12-20"), 4)]
    assert {at.weekday() for at in found} == {WEEKDAYS.index(week_start)}
    assert [later - at for at, later in pairwise(found)] == [timedelta(days=7)] * 3


# --- against dateutil

numbers = {
    "BYMONTH": st.integers(1, 12),
    "BYMONTHDAY": st.integers(1, 31) | st.integers(-31, -1),
    "BYYEARDAY": st.integers(1, 366) | st.integers(-366, -1),
    # By -52 and -53 dateutil leaves out the days of a first week that are in the year before.
    "BYWEEKNO": st.integers(1, 53) | st.integers(-51, -1),
    "BYHOUR": st.integers(0, 23),
    "BYMINUTE": st.integers(0, 59),
    "BYSETPOS": st.integers(1, 6) | st.integers(-6, -1),
}
fitting = {
    "YEARLY": [*numbers],
    "MONTHLY": ["BYMONTH", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSETPOS"],
    "WEEKLY": ["BYMONTH", "BYHOUR", "BYMINUTE", "BYSETPOS"],
    "DAILY": ["BYMONTH", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSETPOS"],
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(sorted(fitting)))
    parts = {"FREQ": frequency, "INTERVAL": str(draw(st.integers(1, 5)))}
    for name in draw(st.lists(st.sampled_from(fitting[frequency]), max_size=3, unique=True)):
        parts[name] = ",".join(map(str, sorted(draw(st.sets(numbers[name], min_size=1, max_size=3)))))
    if draw(st.booleans()):
        nth = [""]
        if frequency in ("MONTHLY", "YEARLY") and "BYWEEKNO" not in parts:
            nth = draw(st.sampled_from([[""], ["1", "2", "-1"]]))
        days = draw(st.sets(st.tuples(st.sampled_from(nth), st.sampled_from(WEEKDAYS)), min_size=1, max_size=3))
        parts["BYDAY"] = ",".join(place + day for place, day in sorted(days))
    parts["WKST"] = draw(st.sampled_from(WEEKDAYS))
    end = draw(st.sampled_from(["", "COUNT=7", "UNTIL=20270301T000000"]))
    return ";".join([*(f"{name}={value}" for name, value in parts.items()), *([end] if end else [])])


@settings(max_examples=400, deadline=None)
@given(rules(), st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)), st.integers(0, 800))
def test_rules_agree_with_dateutil(rule: str, start: datetime, later: int) -> None:
    start = start.replace(microsecond=0)
    if "WEEKLY" in rule and "BYSETPOS" in rule:
        # dateutil counts positions in a first week that begins with the start; ours is the whole week, as the RFC says.
        first = WEEKDAYS.index(rule.partition("WKST=")[2][:2])
        start -= timedelta(days=(start.weekday() - first) % 7)
    text = f"DTSTART:{start:%Y%m%dT%H%M%S} RRULE:{rule}"
    after, end = start + timedelta(days=later, hours=7), start + timedelta(days=3 * 365)
    # dateutil searches up to the last year of all, where nothing matches.
    with patch("datetime.MAXYEAR", 2033):
        within = takewhile(lambda at: at <= end, rrulestr(f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:{rule}"))
        expected = [at for at in within if at > after][:20]
    try:
        fires = read((Spec(text),), "").fires(after.replace(tzinfo=UTC), 20)
    except ScheduleError:  # it never fires
        fires = []
    found = [fire.at.replace(tzinfo=None) for fire in fires]
    assert [at for at in found if at <= end] == expected


def test_positions_in_the_first_week_are_those_of_the_whole_week() -> None:
    spec = Spec("DTSTART:20240102T090000 RRULE:FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1")
    fires = read((spec,), "").fires(datetime(2024, 1, 1, tzinfo=UTC), 2)
    assert [fire.at.day for fire in fires] == [8, 15]


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYSETPOS=2", "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=-2"])
def test_positions_that_no_period_has_are_refused(rule: str) -> None:
    with pytest.raises(ScheduleError, match="BYSETPOS chooses nothing"):
        read((Spec(f"DTSTART:20240102T090000 RRULE:{rule}"),), "")


def test_hostile_rules_are_read_quickly() -> None:
    text = "DTSTART:19990101T003000 RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=1000;BYHOUR=1,2,3"
    best = min(cpu_seconds(Spec(text)) for _ in range(3))
    assert best < 0.1


def cpu_seconds(spec: Spec) -> float:
    started = time.process_time()
    _read.__wrapped__(spec, "")
    return time.process_time() - started


def test_a_first_week_begins_in_the_year_before() -> None:
    spec = Spec("DTSTART:20240101T000000 RRULE:FREQ=YEARLY;BYWEEKNO=-52;BYDAY=MO")
    fires = read((spec,), "").fires(datetime(2024, 6, 1, tzinfo=UTC), 1)
    assert [str(fire.at.date()) for fire in fires] == ["2024-12-30"]
