"""Schedules and time zones that cannot be used are refused by name, quickly, with what to do."""

import time
from contextlib import suppress

import pytest

from tasks_app.schedule import ScheduleError, Spec
from tasks_app.schedule.reading import _read
from tests.plans import parse
from tests.tasks_app.schedule.test_cron import BERLIN, utc

REFUSED = [
    # schedule, part of the message
    ("*", "1 fields"),
    ("* * * *", "4 fields: use 5"),
    ("10s", "1 fields"),
    ("0 0 12 * * MON 2026", "7 fields are Quartz's form"),
    ("* * * * * * * *", "8 fields"),
    ("60 * * * *", 'minute field "60"'),
    ("60 * * * * *", 'second field "60"'),
    ("* 24 * * *", 'hour field "24"'),
    ("* * 0 * *", 'day field "0"'),
    ("* * 32 * *", 'day field "32"'),
    ("* * * 0 *", 'month field "0"'),
    ("* * * 13 *", 'month field "13"'),
    ("* * * * 8", 'weekday field "8"'),
    ("* * * JANUARY *", "1-12 or JAN-DEC"),
    ("* * * * MONDAY", "SUN-SAT"),
    ("* * * * MON#6", "weekday"),
    ("* * * * #1", "weekday"),
    ("? * * * *", "Write * instead of ?"),
    ("-1 * * * *", "minute"),
    ("5-1 * * * *", "upward ranges"),
    ("* * * * FRI-MON", "upward ranges"),
    ("*/0 * * * *", "minute"),
    ("*/ * * * *", "minute"),
    ("*/-5 * * * *", "minute"),
    ("*/90 * * * *", "steps over 60"),
    ("* */25 * * *", "steps over 24"),
    ("1,,2 * * * *", "minute"),
    (", * * * *", "minute"),
    ("1.5 * * * *", "minute"),
    ("a b c d e", "minute"),
    ("0 0 30 2 *", "never fires"),
    ("0 0 31 2,4,6,9,11 *", "never fires"),
    ("0 0 */30 * MON#3", "never fires"),
    ("0 0 */31 2-12 MON#2", "never fires"),
    ("@every", "no interval"),
    ("@every 0s", "from 1s to 366d"),
    ("@every 367d", "from 1s to 366d"),
    ("@every " + "9" * 190 + "d", "from 1s to 366d"),
    ("@every 100ms", "no ms"),
    ("@every 5w", "no interval"),
    ("@every 10", "no interval"),
    ("@every 1m1h", "in this order"),
    ("@every 1.5h", "whole"),
    ("@every -1h", "whole"),
    ("@at", "ISO 8601"),
    ("@at tomorrow", "ISO 8601"),
    ("@at 2026-02-30T00:00", "ISO 8601"),
    ("@at 9999-12-31T23:59:59-12:00", "use a year"),
    ("@at 0001-01-01T00:00:00+12:00", "use a year"),
    ("@reboot", "@daily"),
    ("@", "Unknown schedule"),
    ("@daily 3", "Unknown schedule"),
    ("* * * * *" + " " * 200, "at most 200"),
    ("0 3 * * *\n", "line breaks"),
    ("0\t3\t*\t*\t*", "tabs"),
    ("0 3 * * *\0", "ASCII"),
    ("٣ * * * *", "ASCII"),
    ("0 3 * * *\u00a0", "ASCII"),
]


@pytest.mark.parametrize(("schedule", "message"), REFUSED)
def test_refused(schedule: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(schedule, "UTC")
    assert caught.value.field == "schedule"
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("berlin", "did you mean Europe/Berlin"),
        ("new york", "did you mean America/New_York"),
        ("utc", "did you mean UTC"),
        ("", "such as Europe/Berlin or UTC"),
        ("../../etc/passwd", "Unknown time zone"),
        ("/usr/share/zoneinfo/UTC", "Unknown time zone"),
        ("Europe", "Unknown time zone"),
        ("Europe/../UTC", "Unknown time zone"),
        ("right/UTC", "Unknown time zone"),
        ("localtime", "Unknown time zone"),
        ("UTC\0", "Unknown time zone"),
        ("Ü" * 100_000, "Unknown time zone"),
    ],
)
@pytest.mark.parametrize("schedule", ["", "0 3 * * *"])
def test_refused_zone(schedule: str, zone: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(schedule, zone)
    assert caught.value.field == "timezone"
    assert message in caught.value.message
    assert len(caught.value.message) < 500


def test_what_exists_only_in_gaps_never_fires() -> None:
    with pytest.raises(ScheduleError, match="never fires"):
        parse("*/5 2 * 3 7L", BERLIN)  # the hour that is left out, each year
    assert parse("*/5 2 * 3 7L", "UTC").next_after(utc("2024-01-01 00:00")) == utc("2024-03-31 02:00")


@pytest.mark.parametrize(
    "schedule",
    ["0 0 30 2 *", "0 0 */30 * MON#3", "* * * * */31 * *", "1," * 95 + "1 0 30 2 *", "*/5 2 * 3 7L", "0 0 * 2 MON#5"],
)
def test_refusing_is_quick(schedule: str) -> None:
    parse("", BERLIN)  # the list of zones is read once in a process
    best = min(cpu_seconds(schedule) for _ in range(3))
    assert best < 0.005


def cpu_seconds(schedule: str) -> float:
    started = time.process_time()
    with suppress(ScheduleError):
        _read.__wrapped__(Spec(schedule, BERLIN), key="").next_after(utc("2073-01-01 00:00"))
    return time.process_time() - started
