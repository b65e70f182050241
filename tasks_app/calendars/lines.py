"""The lines of a calendar, read."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from tasks_app.calendars import public
from tasks_app.calendars.errors import CalendarError

MOST_LINES = 5000
NAME_LENGTH = 100
DAY_MINUTES = 24 * 60

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_WEEKDAYS)
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?"
_SHAPES = {
    "moments": re.compile(rf"({_MOMENT})/({_MOMENT})"),
    "dates": re.compile(r"(\d{4}-\d\d-\d\d)(?:/(\d{4}-\d\d-\d\d))?"),
    "yearly": re.compile(r"(\d\d-\d\d)(?:/(\d\d-\d\d))?"),
    "weekdays": re.compile(rf"((?:{_DAY})(?:-(?:{_DAY}))?(?:\s*,\s*(?:{_DAY})(?:-(?:{_DAY}))?)*)", re.IGNORECASE),
    "holidays": re.compile(r"holidays\s+([A-Za-z]{2}(?:-\w+)?)", re.IGNORECASE),
}
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_EXAMPLES = "sat, sun; 12-25; 2027-08-02/2027-08-20; 22:00-06:00; fri 12:00-24:00; holidays DE-BY"

Days = Callable[[date], str | None]
"""The name of what is said of a day; None: nothing is."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes from the midnight a day begins with; those past the next midnight belong to it too."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """Hours of some days."""

    days: Days
    hours: Hours


@dataclass(frozen=True, slots=True)
class Span:
    """From one local time to before another."""

    start: datetime
    end: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """All that one text says."""

    whole: tuple[Days, ...]
    parts: tuple[Part, ...]
    spans: tuple[Span, ...]
    countries: tuple[str, ...]
    """Whose public holidays are said as whole days."""


def read(field: str, text: str) -> Said:
    """What `text` says; raises `CalendarError` that names `field` and the line."""
    rows = text.splitlines()
    if len(rows) > MOST_LINES:
        raise CalendarError(field, f"There are {len(rows):,} lines; at most {MOST_LINES:,} can be used.")
    found = [_read(field, number, row.strip()) for number, row in enumerate(rows, start=1) if _says(row)]
    return Said(
        whole=tuple(each for each, _ in found if callable(each)),
        parts=tuple(each for each, _ in found if isinstance(each, Part)),
        spans=tuple(each for each, _ in found if isinstance(each, Span)),
        countries=tuple(country for _, country in found if country),
    )


def _says(row: str) -> bool:
    return bool(row.strip()) and not row.lstrip().startswith("#")


def _read(field: str, number: int, row: str) -> tuple[Days | Part | Span, str]:
    try:
        return _line(row)
    except ValueError as error:
        raise CalendarError(field, f"Line {number}: {error}") from None


def _line(row: str) -> tuple[Days | Part | Span, str]:
    shape, match = next(
        ((shape, match) for shape, pattern in _SHAPES.items() if (match := _whole(pattern, row))), ("", None)
    )
    hours, rest = _hours(row[match.end() :] if match else row)
    if match is None and hours is None:
        raise ValueError(f"“{row[:60]}” is nothing a calendar knows. Write one of: {_EXAMPLES}.")
    if len(rest) > NAME_LENGTH:
        raise ValueError(f"The name has {len(rest)} characters; shorten it to at most {NAME_LENGTH}.")
    if match and shape == "moments":
        if hours:
            raise ValueError("Moments have hours of their own: leave out what follows.")
        return _moments(match[1], match[2], rest or row), ""
    name = rest or (row[: match.end()] if match and not hours else row)
    days = _DAYS[shape](*match.groups(), name=name) if match else _always(name)
    if hours:
        return Part(days, hours), ""
    return days, match[1] if match and shape == "holidays" else ""


def _whole(pattern: re.Pattern[str], row: str) -> re.Match[str] | None:
    """A match at the beginning, after which something else begins."""
    match = pattern.match(row)
    return match if match and (match.end() == len(row) or row[match.end()].isspace()) else None


def _hours(rest: str) -> tuple[Hours | None, str]:
    rest = rest.strip()
    match = _whole(_HOURS, rest)
    if not match:
        return None, rest
    first, minute, last, other = map(int, match.groups())
    start, end = first * 60 + minute, last * 60 + other
    if max(minute, other) > 59 or start >= DAY_MINUTES or end > DAY_MINUTES:
        raise ValueError(f"“{match[0]}” are no hours of a day: use 00:00 to 24:00.")
    if start == end:
        raise ValueError(f"“{match[0]}” are no hours: say when they end; leave them out for the whole day.")
    return Hours(start, end if end > start else end + DAY_MINUTES), rest[match.end() :].strip()


def _always(name: str) -> Days:
    return lambda day: name


def _moments(first: str, last: str, name: str) -> Span:
    start, end = _moment(first), _moment(last)
    if end <= start:
        raise ValueError(f"“{last}” is not after “{first}”.")
    return Span(start, end, name)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text}” is not a time: there is no such date or hour.") from None


def _dates(first: str, last: str | None, name: str) -> Days:
    start, end = _date(first), _date(last or first)
    if end < start:
        raise ValueError(f"“{last}” is before “{first}”.")
    return lambda day: name if start <= day <= end else None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text}” is not a date: there is no such day.") from None


def _yearly(first: str, last: str | None, name: str) -> Days:
    start, end = _month_day(first), _month_day(last or first)
    if start <= end:
        return lambda day: name if start <= (day.month, day.day) <= end else None
    return lambda day: name if not end < (day.month, day.day) < start else None


def _month_day(text: str) -> tuple[int, int]:
    try:
        day = date.fromisoformat(f"2024-{text}")  # a leap year
    except ValueError:
        raise ValueError(f"“{text}” is not a date: month and day are meant, such as 12-25.") from None
    return day.month, day.day


def _weekdays(text: str, name: str) -> Days:
    wanted = set(_numbers(text.lower()))
    return lambda day: name if day.weekday() in wanted else None


def _numbers(text: str) -> Iterator[int]:
    for part in re.split(r"\s*,\s*", text):
        first, _, last = part.partition("-")
        start = _WEEKDAYS.index(first)
        length = (_WEEKDAYS.index(last or first) - start) % 7
        yield from ((start + step) % 7 for step in range(length + 1))


def _holidays(code: str, name: str) -> Days:
    public.check(code)
    return lambda day: public.holiday(code, day)


_DAYS: dict[str, Callable[..., Days]] = {
    "dates": _dates,
    "yearly": _yearly,
    "weekdays": _weekdays,
    "holidays": _holidays,
}


def workday(said: Said, day: date) -> str | None:
    """The name of a day off that one of the countries makes a workday."""
    return next((name for code in said.countries if (name := public.workday(code, day))), None)
