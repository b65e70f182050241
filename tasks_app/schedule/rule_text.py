"""`DTSTART:20260101T090000 RRULE:FREQ=MONTHLY;BYDAY=-1FR` as a `Rule`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tasks_app.schedule.errors import refused
from tasks_app.schedule.rule import Rule

MOST = 1000
"""Of COUNT: that many times are worked out beforehand."""

_TEXT = re.compile(r"(?:DTSTART(?:;TZID=(?P<zone>[\w/+-]+))?:(?P<start>\S+)\s+)?RRULE:(?P<rule>\S+)", re.IGNORECASE)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = re.compile(rf"([+-]?\d{{1,2}})?({'|'.join(WEEKDAYS)})")
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_LIMITS = {
    "INTERVAL": (1, 1000, False),
    "COUNT": (1, MOST, False),
    "BYMONTH": (1, 12, False),
    "BYWEEKNO": (1, 53, True),
    "BYYEARDAY": (1, 366, True),
    "BYMONTHDAY": (1, 31, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 59, False),
    "BYSETPOS": (1, 366, True),
}
"""From where to where, and whether it may be counted backward."""
_ONLY = {
    "BYWEEKNO": ("YEARLY",),
    "BYYEARDAY": ("YEARLY",),
    "BYMONTHDAY": ("YEARLY", "MONTHLY", "DAILY"),
}
"""With which frequencies a part may go (the RFC's table)."""
_DAYS = ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY")


def is_rule(text: str) -> bool:
    """Is that meant to be a recurrence rule?"""
    return text.upper().startswith(("RRULE", "DTSTART"))


def read(text: str, zone: ZoneInfo, start: datetime | None) -> Rule:
    """The rule in `text`; `start` (local time) is its DTSTART where it has none. Raises `ScheduleError`."""
    match = _TEXT.fullmatch(text)
    if not match:
        raise refused('A recurrence rule is written "DTSTART:20260101T090000 RRULE:FREQ=WEEKLY;BYDAY=MO".')
    if match["zone"] and match["zone"] != zone.key:
        raise refused(f"DTSTART is in {match['zone']}, the schedule in {zone.key}: leave out TZID, or change the zone.")
    begin = _moment("DTSTART", match["start"].upper(), zone) if match["start"] else start
    if begin is None:
        raise refused('A rule counts from its start: write "DTSTART:20260101T090000 RRULE:…", or set starts_at.')
    parts = _parts(match["rule"].upper())
    return _rule(parts, begin, zone)


def _parts(text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(";") if item]
    names = [name for name, _, _ in pairs]
    known = ("FREQ", "UNTIL", "WKST", "BYDAY", *_LIMITS)
    for name, _, value in pairs:
        if name not in known or not value:
            raise refused(
                f'The rule\'s part "{name}" cannot be read: use {", ".join(known)}, each with "=" and a value.'
            )
        if names.count(name) > 1:
            raise refused(f"The rule has {name} twice: leave one out.")
    if dict.fromkeys(names).keys() >= {"COUNT", "UNTIL"}:
        raise refused("A rule may have COUNT or UNTIL, not both: leave one out.")
    return {name: value for name, _, value in pairs}


def _rule(parts: dict[str, str], start: datetime, zone: ZoneInfo) -> Rule:
    frequency: Any = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise refused(
            f'FREQ={frequency} is none of {", ".join(_FREQUENCIES)}; for shorter periods use "@every" or cron.'
        )
    for name, fitting in _ONLY.items():
        if name in parts and frequency not in fitting:
            raise refused(f"{name} does not go with FREQ={frequency}: leave it out, or use {' or '.join(fitting)}.")
    numbers = {name: _numbers(name, parts[name]) for name in _LIMITS if name in parts}
    weekdays = _weekdays(parts, frequency)
    implied = {} if any(name in parts for name in _DAYS) else _implied(frequency, start, "BYMONTH" in parts)
    rule = Rule(
        start=start,
        frequency=frequency,
        interval=numbers.get("INTERVAL", (1,))[0],
        count=numbers.get("COUNT", (None,))[0],
        until=_moment("UNTIL", parts["UNTIL"], zone) if "UNTIL" in parts else None,
        months=numbers.get("BYMONTH", implied.get("months", ())),
        weeks=numbers.get("BYWEEKNO", ()),
        year_days=numbers.get("BYYEARDAY", ()),
        month_days=numbers.get("BYMONTHDAY", implied.get("month_days", ())),
        weekdays=weekdays or implied.get("weekdays", ()),
        hours=numbers.get("BYHOUR", (start.hour,)),
        minutes=numbers.get("BYMINUTE", (start.minute,)),
        seconds=numbers.get("BYSECOND", (start.second,)),
        positions=numbers.get("BYSETPOS", ()),
        week_start=_week_start(parts.get("WKST", "MO")),
    )
    _check_positions(rule)
    return rule


def _check_positions(rule: Rule) -> None:
    """Refuse positions that no period is long enough for."""
    days = {"DAILY": 1, "WEEKLY": len(rule.weekdays) or 7}.get(rule.frequency, 366)
    most = days * len(rule.hours) * len(rule.minutes) * len(rule.seconds)
    if rule.positions and min(map(abs, rule.positions)) > most:
        raise refused(f"BYSETPOS chooses nothing, so that it never fires: one period has {most} at most.")


def _implied(frequency: str, start: datetime, has_months: bool) -> dict[str, Any]:
    """What a rule that names no days takes from its start."""
    if frequency == "WEEKLY":
        return {"weekdays": ((start.weekday(), 0),)}
    if frequency == "DAILY":
        return {}
    months = {} if frequency == "MONTHLY" or has_months else {"months": (start.month,)}
    return {"month_days": (start.day,), **months}


def _numbers(name: str, text: str) -> tuple[int, ...]:
    low, high, backward = _LIMITS[name]
    items = text.split(",")
    single = name in ("INTERVAL", "COUNT")
    found = {int(item) for item in items if re.fullmatch(r"[+-]?\d{1,4}" if backward else r"\d{1,4}", item)}
    if (
        len(items) > (1 if single else 400)
        or len(found) < len(set(items))
        or not all(low <= abs(n) <= high for n in found)
    ):
        also = f", or -{high} to -{low} from the end" if backward else ""
        raise refused(
            f"{name}={text[:40]} cannot be read: use {'one number' if single else 'numbers'} {low}-{high}{also}."
        )
    return tuple(sorted(found))


def _weekdays(parts: dict[str, str], frequency: str) -> tuple[tuple[int, int], ...]:
    if "BYDAY" not in parts:
        return ()
    matches = [_WEEKDAY.fullmatch(item) for item in parts["BYDAY"].split(",")]
    found = [(WEEKDAYS.index(match[2]), int(match[1] or 0)) for match in matches if match]
    if len(found) < len(matches) or any(match and match[1] and not 1 <= abs(int(match[1])) <= 53 for match in matches):
        raise refused(f"BYDAY={parts['BYDAY'][:40]} cannot be read: use MO-SU, with 1MO or -1FR for one of them alone.")
    if any(nth for _, nth in found) and (frequency not in ("YEARLY", "MONTHLY") or "BYWEEKNO" in parts):
        raise refused("BYDAY with a number goes only with FREQ=MONTHLY or YEARLY, and without BYWEEKNO.")
    return tuple(found)


def _week_start(text: str) -> int:
    if text not in WEEKDAYS:
        raise refused(f"WKST={text[:40]} is no day of the week: use MO-SU.")
    return WEEKDAYS.index(text)


_FORMS: tuple[tuple[str, Callable[[datetime, ZoneInfo], datetime]], ...] = (
    ("%Y%m%dT%H%M%SZ", lambda at, zone: at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)),
    ("%Y%m%dT%H%M%S", lambda at, zone: at),
    ("%Y%m%d", lambda at, zone: at),
)


def _moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    """In local time."""
    for form, local in _FORMS:
        try:
            at = datetime.strptime(text, form)
        except ValueError:
            continue
        if 1970 <= at.year < 9900:
            if form == "%Y%m%d" and name == "UNTIL":
                at = at.replace(hour=23, minute=59, second=59)
            return local(at, zone)
    raise refused(f"{name} cannot be read: write 20260131T090000 (local), 20260131T090000Z (UTC) or 20260131.")
