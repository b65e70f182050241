"""What is closed when: days and hours in local time."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from tasks_app.calendars import lines
from tasks_app.calendars.errors import CalendarError
from tasks_app.calendars.lines import DAY_MINUTES, Said
from tasks_app.calendars.rules import KINDS, Rules
from tasks_app.schedule import ScheduleError, zone

FARTHEST = 1100
"""Days that are searched for one that is open: three years."""
NOT_OPEN = "not open"

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


class Calendar:
    """See `calendars`. Local times are naive, in the zone that `zone_for` tells."""

    def __init__(self, rules: Rules) -> None:
        """Raises `CalendarError`."""
        if rules.kind not in KINDS:
            raise CalendarError("kind", f"Use {' or '.join(KINDS)}.")
        self._zone = _zone(rules.timezone)
        self._inclusive = rules.kind == "inclusive"
        self._closed = lines.read("closed", rules.closed)
        self._open = lines.read("open", rules.open)
        self._minutes = _minutes(self._closed, self._open)
        spans = (*self._closed.spans, *self._open.spans)
        self._edges = sorted({edge for span in spans for edge in (span.start, span.end)})
        self.day = lru_cache(maxsize=1024)(self._day)

    def zone_for(self, zone: ZoneInfo) -> ZoneInfo:
        """Its own time zone, or `zone` if it has none."""
        return self._zone or zone

    def _day(self, day: date) -> str | None:
        """Why `day` is closed as a whole; None if it is not, though hours of it may be."""
        closed = _whole(self._closed, day)
        if self._inclusive:
            return closed or (None if _whole(self._open, day) or _opens_on(self._open, day) else NOT_OPEN)
        if closed and (_whole(self._open, day) or lines.workday(self._closed, day)):
            return None
        return closed

    def closed_days(self, since: date, until: date) -> list[tuple[date, str]]:
        """The days that are closed as a whole, from `since` on and before `until`, each with its name."""
        days = (since + number * _DAY for number in range((until - since).days))
        return [(day, name) for day in days if (name := self.day(day))]

    def at(self, wall: datetime) -> str | None:
        """Why it is closed at the local time `wall`; None if it is open."""
        hours, opened = _part(self._closed, wall), _part(self._open, wall)
        if not self._inclusive:
            return None if opened else self.day(wall.date()) or hours
        named = _whole(self._closed, wall.date()) or hours
        return named or (None if opened or _whole(self._open, wall.date()) else NOT_OPEN)

    def reopens(self, wall: datetime) -> datetime | None:
        """The first local time from `wall` on that is open; None if there is none for years."""
        return next((moment for moment in self._moments(wall) if self.at(moment) is None), None)

    def _moments(self, wall: datetime) -> Iterator[datetime]:
        """`wall`, and after it, for three years, whatever time may be the first that is open."""
        yield wall
        midnight = datetime.combine(wall.date(), time())
        for number in range(FARTHEST):
            start = midnight + number * _DAY
            edges = self._edges[bisect_right(self._edges, start) : bisect_right(self._edges, start + _DAY)]
            moments = sorted({*(start + minute * _MINUTE for minute in self._minutes), *edges})
            yield from moments[bisect_right(moments, wall) :]


def _whole(said: Said, day: date) -> str | None:
    """What `day` is called, as a whole."""
    return next((name for days in said.whole if (name := days(day))), None)


def _part(said: Said, wall: datetime) -> str | None:
    """What the hours are called that `wall` is in."""
    minute, day = wall.hour * 60 + wall.minute, wall.date()
    for part in said.parts:
        # The hours of the day before may reach into this one.
        for begun, passed in ((day, minute), (day - _DAY, minute + DAY_MINUTES)):
            if part.hours.start <= passed < part.hours.end and (name := part.days(begun)):
                return name
    return next((span.name for span in said.spans if span.start <= wall < span.end), None)


def _opens_on(said: Said, day: date) -> bool:
    """Do hours of `day` stand there?"""
    start = datetime.combine(day, time())
    spans = any(span.start < start + _DAY and span.end > start for span in said.spans)
    return spans or any(part.days(day) for part in said.parts)


def _minutes(*texts: Said) -> list[int]:
    """The minutes of a day at which hours begin or end, and midnight."""
    parts = chain.from_iterable(said.parts for said in texts)
    return sorted({0, *(edge % DAY_MINUTES for part in parts for edge in (part.hours.start, part.hours.end))})


def _zone(name: str) -> ZoneInfo | None:
    try:
        return zone(name) if name else None
    except ScheduleError as error:
        raise CalendarError("timezone", error.message) from None


@lru_cache(maxsize=512)
def read(rules: Rules) -> Calendar:
    """The calendar that `rules` say; raises `CalendarError`."""
    return Calendar(rules)
