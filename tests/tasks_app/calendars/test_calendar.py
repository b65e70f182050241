"""What the lines of a calendar mean, and which are refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.calendars import CalendarError, Closures, Rules, read
from tasks_app.schedule import Spec
from tasks_app.schedule import read as read_schedule

MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("closed", "when", "name"),
    [
        ("sat", "2027-03-06T00:00", "sat"),
        ("sat", "2027-03-05T23:59", None),
        ("SAT, sun Weekend", "2027-03-07T12:00", "Weekend"),
        ("fri-mon", "2027-03-08T12:00", "fri-mon"),
        ("fri-mon", "2027-03-09T12:00", None),
        ("12-25 Christmas Day", "2031-12-25T12:00", "Christmas Day"),
        ("12-25", "2031-12-26T00:00", None),
        ("12-24/01-02 Winter", "2027-12-31T12:00", "Winter"),
        ("12-24/01-02 Winter", "2028-01-02T23:59", "Winter"),
        ("12-24/01-02 Winter", "2028-01-03T00:00", None),
        ("02-29", "2028-02-29T12:00", "02-29"),
        ("2027-05-14 Bridge day", "2027-05-14T00:00", "Bridge day"),
        ("2027-05-14", "2028-05-14T00:00", None),
        ("2027-08-02/2027-08-20", "2027-08-20T23:59", "2027-08-02/2027-08-20"),
        ("22:00-06:00", "2027-03-05T22:00", "22:00-06:00"),
        ("22:00-06:00 Night", "2027-03-05T05:59", "Night"),
        ("22:00-06:00", "2027-03-05T06:00", None),
        ("fri 12:00-24:00", "2027-03-05T12:00", "fri 12:00-24:00"),
        ("fri 12:00-24:00", "2027-03-06T00:00", None),
        ("fri 22:00-02:00 Backup", "2027-03-06T01:00", "Backup"),
        ("fri 22:00-02:00", "2027-03-05T01:00", None),
        ("12-24 12:00-24:00 Afternoon", "2027-12-24T13:00", "Afternoon"),
        ("2027-03-06T18:00/2027-03-07T04:00 Move", "2027-03-07T03:59", "Move"),
        ("2027-03-06T18:00/2027-03-07T04:00", "2027-03-07T04:00", None),
        ("holidays DE", "2027-10-03T12:00", "German Unity Day"),
        ("holidays DE", "2027-01-06T12:00", None),
        ("holidays de-by", "2027-01-06T12:00", "Epiphany"),
        ("holidays US-TX", "2027-07-04T12:00", "Independence Day"),
        ("holidays CN", "2026-02-17T12:00", "Chinese New Year (Spring Festival)"),
        ("# only a remark\n\n  sun  ", "2027-03-07T12:00", "sun"),
    ],
)
def test_closed(closed: str, when: str, name: str | None) -> None:
    assert read(Rules(closed)).at(at(when)) == name


@pytest.mark.parametrize(
    ("closed", "opened", "when", "is_open"),
    [
        ("sat, sun", "2027-03-06 Make-up", "2027-03-06T12:00", True),
        ("sat, sun\n22:00-06:00", "2027-03-06", "2027-03-06T23:00", False),
        ("sat, sun\n22:00-06:00", "2027-03-06 22:00-23:00", "2027-03-06T22:30", True),
        ("sat, sun", "sat 08:00-12:00", "2027-03-06T08:00", True),
        ("sat, sun", "sat 08:00-12:00", "2027-03-06T12:00", False),
        ("sat, sun\nholidays CN", "", "2025-01-26T12:00", True),  # a Sunday made a workday
        ("sat, sun", "", "2025-01-26T12:00", False),
    ],
)
def test_exceptions(closed: str, opened: str, when: str, is_open: bool) -> None:
    assert (read(Rules(closed, opened)).at(at(when)) is None) is is_open


@pytest.mark.parametrize(
    ("closed", "when", "name"),
    [
        ("", "2027-03-05T09:00", None),
        ("", "2027-03-05T17:00", "not open"),
        ("", "2027-03-06T12:00", "not open"),
        ("2027-03-05 Party", "2027-03-05T12:00", "Party"),
        ("12:00-13:00 Lunch", "2027-03-05T12:30", "Lunch"),
    ],
)
def test_inclusive(closed: str, when: str, name: str | None) -> None:
    assert read(Rules(closed, "mon-fri 09:00-17:00", "inclusive")).at(at(when)) == name


def test_days_as_a_whole() -> None:
    calendar = read(Rules("2027-03-05 Party", "mon-fri 09:00-17:00", "inclusive"))
    days = [at(f"2027-03-0{day}").date() for day in (4, 5, 6)]
    assert [calendar.day(day) for day in days] == [None, "Party", "not open"]
    assert read(Rules("22:00-06:00")).day(days[0]) is None


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("closed", "satday", "Line 1: “satday” is nothing a calendar knows."),
        ("closed", "sun\n2027-02-30", "Line 2: “2027-02-30” is not a date"),
        ("closed", "13-01", "Line 1: “13-01” is not a date"),
        ("open", "2027-05-02/2027-05-01", "Line 1: “2027-05-01” is before “2027-05-02”."),
        ("closed", "25:00-26:00", "are no hours of a day"),
        ("closed", "10:75-12:00", "are no hours of a day"),
        ("closed", "10:00-10:00", "are no hours: say when they end"),
        ("closed", "2027-01-02T10:00/2027-01-02T09:00", "is not after"),
        ("closed", "2027-01-02T25:00/2027-01-03T09:00", "is not a time"),
        ("closed", "2027-01-02T10:00/2027-01-03T09:00 10:00-12:00", "Moments have hours of their own"),
        ("closed", "holidays XX", "No public holidays are known of “XX”"),
        ("closed", "holidays DE-BV", "“DE” has no part “BV”; it has BB, BE,"),
        ("closed", "holidays Germany", "is nothing a calendar knows"),
        ("closed", "sun " + "x" * 101, "The name has 101 characters"),
        ("closed", "sun\n" * 5001, "There are 5,001 lines"),
    ],
)
def test_refused(field: str, text: str, message: str) -> None:
    with pytest.raises(CalendarError) as caught:
        read(Rules(**{field: text}))
    assert caught.value.field == field
    assert message in caught.value.message


def test_refused_options() -> None:
    for field, rules in {"kind": Rules(kind="other"), "timezone": Rules(timezone="Mars")}.items():  # type: ignore[arg-type]
        with pytest.raises(CalendarError) as caught:
            read(rules)
        assert caught.value.field == field


LINES = """sat, sun
mon-thu
03-28/03-29
2027-03-29
01:30-02:30
fri 22:00-05:00
22:15-04:45
sun 02:00-03:00
2027-03-28T01:30/2027-03-28T02:30
2027-10-31T02:30/2027-10-31T02:45
10-31 00:00-02:15
holidays DE"""
TEXTS = st.lists(st.sampled_from(LINES.splitlines()), max_size=3).map("\n".join)
STARTS = st.sampled_from(["2027-03-27T20:00", "2027-10-30T20:00", "2027-12-24T00:00"])


@settings(max_examples=300, deadline=None)
@given(
    TEXTS,
    TEXTS,
    st.sampled_from(["blackout", "inclusive"]),
    TEXTS,
    STARTS,
    st.integers(0, 1500),
    st.sampled_from(["* * * * *", "*/15 * * * *", "30 2 * * *", "@every 11m"]),
    st.sampled_from(["", "UTC"]),
)
def test_open_instants(
    closed: str, opened: str, kind: str, other: str, start: str, ahead: int, text: str, zone: str
) -> None:
    """What is left of a plan, minute by minute."""
    closures = Closures((("one", read(Rules(closed, opened, kind, zone))), ("other", read(Rules(other)))))  # type: ignore[arg-type]
    plan = read_schedule((Spec(text, "Europe/Berlin"),), "")
    after = at(start).replace(tzinfo=UTC) + ahead * MINUTE
    end = after + timedelta(days=3)
    found, moment = [], plan.next_after(after)
    while moment and moment < end:
        found += [moment] if not closures.why(moment, BERLIN) else []
        moment = plan.next_after(moment)
    left = closures.over(plan)
    moment, seen = left.next_after(after), []
    while moment and moment < end:
        seen.append(moment)
        moment = left.next_after(moment)
    assert seen == found


def test_what_is_never_open_ends() -> None:
    never = Closures((("c", read(Rules(kind="inclusive"))),))
    nights = Closures((("c", read(Rules("22:00-06:00"))),))
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert never.over(read_schedule((Spec("* * * * *"),), "")).next_after(now) is None
    assert nights.over(read_schedule((Spec("0 23 * * *"),), "")).next_after(now) is None
