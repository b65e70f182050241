"""Files of other calendars (iCalendar, RFC 5545) as lines of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from tasks_app.calendars.errors import CalendarError
from tasks_app.calendars.lines import NAME_LENGTH

YEARS = 5
"""What recurs otherwise than each year is written out for so long."""

_DAY = timedelta(days=1)
_YEARLY = re.compile(r"FREQ=YEARLY(;INTERVAL=1|;WKST=\w\w|;BYMONTH=\d+|;BYMONTHDAY=\d+)*")
_LIKE_HOURS = re.compile(r"\d\d:\d\d-")


def lines(text: str, zone: ZoneInfo, today: date) -> list[str]:
    """A line for each event of the file, in order and once; what is over is left out. Times are told in `zone`.

    Raises `CalendarError` where the file cannot be read, or has no event that is to come.
    """
    import icalendar  # noqa: PLC0415 - it takes 10 MB, and is seldom needed

    try:
        events = [event for each in icalendar.Calendar.from_ical(text, multiple=True) for event in each.walk("VEVENT")]
        found = sorted({line for event in events for line in _lines(event, zone, today)})
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise CalendarError("ics", f"This is no iCalendar file that can be read: {error}") from None
    if not found:
        raise CalendarError("ics", "There is no event in it that is to come.")
    return found


def added(text: str, found: Iterable[str]) -> str:
    """`text` with those of the lines that it does not have yet."""
    known = text.splitlines()
    return "\n".join([*known, *(line for line in found if line not in known)])


def _lines(event: Any, zone: ZoneInfo, today: date) -> Iterator[str]:
    if event.get("STATUS") == "CANCELLED" or "DTSTART" not in event:
        return
    start, length = _extent(event, zone)
    name = _name(str(event.get("SUMMARY", "")))
    rule = event["RRULE"].to_ical().decode() if "RRULE" in event else ""
    whole_days = not isinstance(start, datetime)
    if whole_days and length <= 366 * _DAY and _YEARLY.fullmatch(rule) and "EXDATE" not in event:
        yield f"{_period(start, length, '%m-%d')}{name}"
        return
    for begun in _starts(event, start, rule, zone, today):
        if _day(begun + length) > today:
            yield f"{_period(begun, length, '%Y-%m-%d' if whole_days else '%Y-%m-%dT%H:%M')}{name}"


def _extent(event: Any, zone: ZoneInfo) -> tuple[date, timedelta]:
    """When it starts, a date or a local time, and how long it takes."""
    start = _local(event["DTSTART"].dt, zone)
    if "DTEND" in event:
        length = _local(event["DTEND"].dt, zone) - start
    else:
        length = event["DURATION"].dt if "DURATION" in event else timedelta()
    if isinstance(start, datetime):
        return start, length
    return start, max(length, _DAY)


def _local(moment: date, zone: ZoneInfo) -> date:
    if isinstance(moment, datetime) and moment.tzinfo:
        return moment.astimezone(zone).replace(tzinfo=None)
    return moment


def _starts(event: Any, start: date, rule: str, zone: ZoneInfo, today: date) -> list[date]:
    """All starts, or those of the next years of what recurs."""
    if not rule:
        return [start]
    whole_days = not isinstance(start, datetime)
    first = datetime.combine(start, time()) if whole_days else start
    # A rule's end may be in UTC, which dateutil does not compare with local times.
    found = rrulestr(_local_end(rule, zone), dtstart=first, ignoretz=True)
    horizon = datetime.combine(today, time())
    starts = found.between(horizon - 366 * _DAY, horizon + YEARS * 366 * _DAY, inc=True)
    left_out = {_local(each.dt, zone) for each in _excluded(event)}
    told = [each.date() if whole_days else each for each in starts]
    return [each for each in told if each not in left_out]


def _local_end(rule: str, zone: ZoneInfo) -> str:
    match = re.search(r"UNTIL=(\d{8}T\d{6})Z", rule)
    if not match:
        return rule
    until = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).astimezone(zone)
    return rule.replace(match[0], f"UNTIL={until:%Y%m%dT%H%M%S}")


def _excluded(event: Any) -> list[Any]:
    given = event.get("EXDATE", [])
    return [each for part in (given if isinstance(given, list) else [given]) for each in part.dts]


def _period(start: date, length: timedelta, form: str) -> str:
    if isinstance(start, datetime):
        return f"{start.strftime(form)}/{(start + length).strftime(form)}"
    last = start + length - _DAY
    return start.strftime(form) if last == start else f"{start.strftime(form)}/{last.strftime(form)}"


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _name(summary: str) -> str:
    """What follows the dates: a name that is not taken for hours."""
    name = " ".join(summary.split())
    told = f"· {name}" if _LIKE_HOURS.match(name) else name
    return f" {told[:NAME_LENGTH].strip()}" if told else ""
