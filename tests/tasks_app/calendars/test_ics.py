"""Files of other calendars become lines of ours."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tasks_app.calendars import CalendarError, ics
from tasks_app.calendars.lines import read

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 26)


def taken(*events: str) -> list[str]:
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    found = ics.lines(f"BEGIN:VCALENDAR\n{body}END:VCALENDAR\n", BERLIN, TODAY)
    read("closed", "\n".join(found))
    return found


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        ("DTSTART;VALUE=DATE:20270514\nSUMMARY:Bridge day", ["2027-05-14 Bridge day"]),
        ("DTSTART;VALUE=DATE:20270802\nDTEND;VALUE=DATE:20270821", ["2027-08-02/2027-08-20"]),
        ("DTSTART;VALUE=DATE:20271225\nDTEND;VALUE=DATE:20271227\nRRULE:FREQ=YEARLY", ["12-25/12-26"]),
        ("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25\nSUMMARY:X", ["12-25 X"]),
        (
            "DTSTART;VALUE=DATE:20261201\nRRULE:FREQ=MONTHLY;COUNT=3\nEXDATE;VALUE=DATE:20270101\nSUMMARY:Stock",
            ["2026-12-01 Stock", "2027-02-01 Stock"],
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20270306T180000\nDURATION:PT10H\nSUMMARY:Servers move",
            ["2027-03-06T18:00/2027-03-07T04:00 Servers move"],
        ),
        ("DTSTART:20270706T100000Z\nDTEND:20270706T113000Z", ["2027-07-06T12:00/2027-07-06T13:30"]),
        (
            "DTSTART:20270325T100000Z\nDTEND:20270325T110000Z\nRRULE:FREQ=WEEKLY;UNTIL=20270401T100000Z",
            ["2027-03-25T11:00/2027-03-25T12:00", "2027-04-01T11:00/2027-04-01T12:00"],
        ),
        ("DTSTART;VALUE=DATE:20270514\nSUMMARY:10:00-12:00 Talk", ["2027-05-14 · 10:00-12:00 Talk"]),
        ("DTSTART;VALUE=DATE:20270514\nSUMMARY:" + "x" * 70 + "\n " + "y" * 70, ["2027-05-14 " + "x" * 70 + "y" * 30]),
    ],
)
def test_events(event: str, lines: list[str]):
    assert taken(event) == lines


def test_what_is_over_or_cancelled_is_left_out():
    assert taken(
        "DTSTART;VALUE=DATE:20200101",
        "DTSTART;VALUE=DATE:20270514\nSTATUS:CANCELLED",
        "DTSTART;VALUE=DATE:20261126",
        "DTSTART;VALUE=DATE:20261126",
    ) == ["2026-11-26"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "BEGIN:VCALENDAR\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270101T000000\nRRULE:FREQ=OFTEN\nEND:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270101T000000\nDTEND;VALUE=DATE:20270102\nEND:VEVENT\nEND:VCALENDAR",
    ],
)
def test_refused(text: str):
    with pytest.raises(CalendarError) as caught:
        ics.lines(text, BERLIN, TODAY)
    assert caught.value.field == "ics"
