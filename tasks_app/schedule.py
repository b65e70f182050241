"""When a task fires: one line of text and a time zone in, instants out. Pure; no clock is read.

    ""                      only when triggered by hand
    30 2 * * MON-FRI        cron: minute hour day month weekday
    */2 * * * * *           cron with seconds first
    @daily                  @hourly @daily @midnight @weekly @monthly @yearly @annually
    @every 1h30m            an interval from 1 second to 366 days; d h m s, in this order
    @at 2026-01-01T08:00    once; ISO 8601, in the schedule's zone unless it has an offset

`cronsim` reads the cron fields, as Debian's cron does: if day or weekday starts with `*`, both must match,
otherwise one of them is enough. `L` and `LW` (day), `5L` and `1#2` (weekday) work too.

Intervals are counted from the Unix epoch in UTC, so they need no memory: `@every 10s` is :00, :10, :20 …,
`@every 1d` is midnight UTC. One that does not divide a day drifts over the clock, but never skips or doubles.

When clocks change, Debian's cron sets the rule (its manual, cron(8)):
- A cron whose minute or hour starts with `*` follows elapsed time: it fires in both passes of a repeated hour,
  and a local time that does not exist does not fire.
- Any other cron stands for fixed times of day: those that do not exist fire together, once, at the first instant
  after the gap (mark "gap"); in a repeated hour only the first pass fires.
- `@at` with a local time follows the fixed-time rule.
"""

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from cron_descriptor import Options, get_description  # type: ignore[import-untyped]
from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

MAX_LENGTH = 200
"""Characters of a schedule's text."""
HORIZON = 50
"""Years that are searched. The rarest cron (29 February on one weekday, across 2100) fires every 40 years."""

_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(9900, 1, 1, tzinfo=UTC)
_REFERENCE = datetime(2024, 1, 1, tzinfo=UTC)
"""A cron that does not fire within `HORIZON` of this never does."""

Mark = Literal["", "gap", "overlap"]
"""gap: moved here because its local time does not exist. overlap: the local time comes twice."""


class ScheduleError(ValueError):
    """A schedule that cannot be used; the message says what to do."""

    def __init__(self, field: Literal["schedule", "timezone"], message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Fire:
    """One nominal time."""

    at: datetime
    """In UTC."""
    local: datetime
    """In the schedule's zone."""
    mark: Mark


class Schedule:
    """A plan of instants; this one is empty, for tasks that are only triggered by hand."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def next_after(self, after: datetime) -> datetime | None:
        """The first instant strictly after `after`, in UTC; None if there is none within `HORIZON` years."""
        after = max(after.astimezone(UTC), _EARLIEST)
        return self._next(after) if after < _LATEST else None

    def fires(self, after: datetime, count: int) -> list[Fire]:
        """The first `count` instants after `after`, as a person wants to see them."""
        found: list[Fire] = []
        while len(found) < count and (at := self.next_after(after)):
            found.append(self._fire(at))
            after = at
        return found

    def words(self) -> str:
        """The schedule in English."""
        return "Only when triggered by hand"

    def _next(self, after: datetime) -> datetime | None:
        return None

    def _is_moved(self, wall: datetime) -> bool:
        return False

    def _fire(self, at: datetime) -> Fire:
        wall = _wall(at, self.zone)
        first, second = _instants(wall, self.zone)
        mark: Mark = "gap" if self._is_moved(wall) else "overlap" if first < second else ""
        return Fire(at, at.astimezone(self.zone), mark)


class Once(Schedule):
    """`@at`: one instant."""

    def __init__(self, nominal: datetime, zone: ZoneInfo) -> None:
        super().__init__(zone)
        self.at = nominal.astimezone(UTC) if nominal.tzinfo else _fixed(nominal, zone)
        self._moved = nominal.tzinfo is None and nominal != _wall(self.at, zone)

    def words(self) -> str:
        return f"Once, at {self.at.astimezone(self.zone).isoformat(sep=' ')}"

    def _next(self, after: datetime) -> datetime | None:
        return self.at if after < self.at else None

    def _is_moved(self, wall: datetime) -> bool:
        return self._moved


class Every(Schedule):
    """`@every`: the multiples of an interval since the Unix epoch."""

    def __init__(self, step: timedelta, zone: ZoneInfo) -> None:
        super().__init__(zone)
        self.step = step

    def words(self) -> str:
        minutes, seconds = divmod(self.step // _SECOND, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        counted = {"day": days, "hour": hours, "minute": minutes, "second": seconds}
        return "Every " + " ".join(f"{n} {unit}{'s' * (n > 1)}" for unit, n in counted.items() if n)

    def _next(self, after: datetime) -> datetime:
        return _EPOCH + ((after - _EPOCH) // self.step + 1) * self.step


class Cron(Schedule):
    """Cron fields: a set of local times, mapped to instants by the zone's rules."""

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        super().__init__(zone)
        self._parts = _cron_parts(text)
        try:
            self._cron = CronSim(" ".join(self._parts), _EPOCH.replace(tzinfo=None))
        except CronSimError:  # each field is right by itself: the days are in none of the months
            raise _never(text) from None
        self._months = self._cron.months
        self._hours = sorted(self._cron.hours)
        self._minutes = sorted(self._cron.minutes)
        self._seconds = sorted(self._cron.seconds)
        self._shapes: dict[tuple[int, int], list[int]] = {}
        self._elapsed = self._parts[1].startswith("*") or self._parts[2].startswith("*")
        if self._next(_REFERENCE) is None:
            raise _never(text)

    def words(self) -> str:
        described = all(_DESCRIBED.fullmatch(part) for part in self._parts) and "*" in (self._parts[3], self._parts[5])
        return str(get_description(" ".join(self._parts), _OPTIONS)) if described else self._cron.explain()

    def _next(self, after: datetime) -> datetime | None:
        return self._next_elapsed(after) if self._elapsed else self._next_fixed(after)

    def _is_moved(self, wall: datetime) -> bool:
        return self._match_after(wall - _SECOND) != wall

    def _next_fixed(self, after: datetime) -> datetime | None:
        wall = _wall(after, self.zone)
        first, second = _instants(wall, self.zone)
        if first < second <= after:  # the second pass: go to its end, the first pass has fired all of it
            wall += _switch(self.zone, first, second) - first - _SECOND
        found = self._match_after(wall)
        return found and _fixed(found, self.zone)

    def _next_elapsed(self, after: datetime) -> datetime | None:
        wall = _wall(after, self.zone)
        found = self._match_after(wall)
        first, second = _instants(wall, self.zone)
        if first <= after < second:  # the first pass: when it has no more, the second follows
            switch = _switch(self.zone, first, second)
            if found is None or found - wall >= switch - first:
                found = self._match_after(_wall(switch, self.zone) - _SECOND)
        while found and found.year <= after.year + HORIZON:
            first, second = _instants(found, self.zone)
            if first <= second:
                return first if first > after else second
            found = self._match_after(_wall(_switch(self.zone, second, first), self.zone) - _SECOND)
        return None

    def _match_after(self, wall: datetime) -> datetime | None:
        """The first local time after `wall` that the fields name."""
        start = wall + _SECOND
        if start.month in self._months and start.day in self._days(start.year, start.month):
            clock = self._clock_from(start.hour, start.minute, start.second)
            if clock:
                return start.replace(hour=clock[0], minute=clock[1], second=clock[2])
        day = self._day_after(start.year, start.month, start.day)
        return start.replace(*day, self._hours[0], self._minutes[0], self._seconds[0]) if day else None

    def _clock_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first time of day at or after the given one."""
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        if hour in self._cron.hours:
            if minute in self._cron.minutes and second <= seconds[-1]:
                return hour, minute, seconds[bisect_left(seconds, second)]
            if minute < minutes[-1]:
                return hour, minutes[bisect_right(minutes, minute)], seconds[0]
        if hour < hours[-1]:
            return hours[bisect_right(hours, hour)], minutes[0], seconds[0]
        return None

    def _day_after(self, year: int, month: int, day: int) -> tuple[int, int, int] | None:
        for _ in range(HORIZON * 12 + 1):
            if month in self._months:
                for each in self._days(year, month):
                    if each > day:
                        return year, month, each
            year, month, day = (year, month + 1, 0) if month < 12 else (year + 1, 1, 0)
        return None

    def _days(self, year: int, month: int) -> list[int]:
        """The days of a month that match. They depend on its shape (first weekday, length) alone: there are 28."""
        shape = monthrange(year, month)
        if shape not in self._shapes:
            days = range(1, shape[1] + 1)
            self._shapes[shape] = [day for day in days if self._cron.match_day(date(year, month, day))]
        return self._shapes[shape]


@lru_cache(maxsize=4096)
def parse(text: str, timezone: str) -> Schedule:
    """Read a schedule; raise `ScheduleError` that names the field and what to do."""
    zone = _zone(timezone)
    _check_text(text)
    word, _, rest = text.strip().partition(" ")
    if not word:
        return Schedule(zone)
    if word.lower() == "@every":
        return Every(_interval(rest.strip()), zone)
    if word.lower() == "@at":
        return Once(_moment(rest.strip()), zone)
    return Cron(_alias(text.strip()) if word.startswith("@") else text.strip(), zone)


# --- local time and instants


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What the zone's clock shows at an instant: naive, whole seconds."""
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants of a local time by the offsets before and after a change of clocks (PEP 495).

    Equal: the usual case. Rising: it comes twice. Falling: it does not exist.
    """
    local = wall.replace(tzinfo=zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _fixed(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a fixed local time: the first if it comes twice, the end of the gap if it does not exist."""
    first, second = _instants(wall, zone)
    return first if first <= second else _switch(zone, second, first)


def _switch(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The instant of the one change of clocks after `low` and up to `high`."""
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    offset = high.astimezone(zone).utcoffset()
    seconds = range((high - low) // _SECOND)
    changed = bisect_left(seconds, True, key=lambda n: (low + n * _SECOND).astimezone(zone).utcoffset() == offset)
    return low + changed * _SECOND


# --- reading and refusing

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (
    ("second", 60, "0-59"),
    ("minute", 60, "0-59"),
    ("hour", 24, "0-23"),
    ("day", 31, "1-31, L (last day) or LW (last working day)"),
    ("month", 12, "1-12 or JAN-DEC"),
    ("weekday", 7, "0-7 (0 and 7 are Sunday) or SUN-SAT, 5L (last Friday) or 1#2 (second Monday)"),
)
"""Name, longest step, what is allowed."""
_INTERVAL = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_OPTIONS = Options()
_OPTIONS.locale_code, _OPTIONS.use_24hour_time_format = "en_US", True
_DESCRIBED = re.compile(r"(\d+|[A-Z]{3})(,(\d+|[A-Z]{3}))*|[^,#L]*")
"""Fields that cron_descriptor words rightly; it misreads mixed lists (`L,15`, `5,MON#2`) and two limited day fields."""


def _error(message: str) -> ScheduleError:
    return ScheduleError("schedule", message)


def _never(text: str) -> ScheduleError:
    return _error(f'"{text}" never fires: no such date or time exists. Change the day, month, weekday or hour.')


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise _error(f"The schedule has {len(text)} characters; shorten it to at most {MAX_LENGTH}.")
    if not (text.isascii() and text.isprintable()):
        raise _error("Use only plain ASCII characters and spaces: no tabs, line breaks or other scripts.")


def _zone(name: str) -> ZoneInfo:
    if name not in _zone_names():
        close = " or ".join(_close_zones(name))
        hint = f"did you mean {close}?" if close else "use an IANA name such as Europe/Berlin or UTC."
        raise ScheduleError("timezone", f"Unknown time zone {name[:64]!r}: {hint}")
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    """The zones of the tz database. Asking this list keeps paths away from the file system."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _close_zones(name: str) -> list[str]:
    wanted = name[:64].strip().replace(" ", "_").lower()
    by_key = {key: zone for zone in sorted(_zone_names()) for key in (zone.rpartition("/")[2].lower(), zone.lower())}
    keys = get_close_matches(wanted, by_key, n=3, cutoff=0.7)
    return list(dict.fromkeys(by_key[key] for key in keys))


def _alias(text: str) -> str:
    if text.lower() not in _ALIASES:
        known = ", ".join([*_ALIASES, "@every 10s", "@at 2026-01-01T00:00:00Z"])
        raise _error(f'Unknown schedule "{text}": use {known}, or cron fields.')
    return _ALIASES[text.lower()]


def _interval(text: str) -> timedelta:
    match = _INTERVAL.fullmatch(text)
    if not match or not text:
        raise _error(f'"{text}" is no interval: write whole d, h, m, s in this order, such as 1h30m; no ms.')
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not 1 <= total <= 366 * 86_400:
        raise _error(f'"@every {text}" is out of range: use an interval from 1s to 366d.')
    return timedelta(seconds=total)


def _moment(text: str) -> datetime:
    try:
        nominal = datetime.fromisoformat(text)
    except ValueError:
        raise _error(f'"{text}" is not a time: write ISO 8601 after @at, such as 2026-01-01T00:00:00Z.') from None
    if not _EPOCH.year <= nominal.year < _LATEST.year:
        raise _error(f'"@at {text}" is out of range: use a year from {_EPOCH.year} to {_LATEST.year - 1}.')
    return nominal.replace(microsecond=0)


def _cron_parts(text: str) -> list[str]:
    """The six fields, checked one by one."""
    parts = text.upper().split()
    if len(parts) == 7:
        raise _error("7 fields are Quartz's form: leave out the last one (year); weekday 0 or 7 is Sunday here.")
    if len(parts) not in (5, 6):
        raise _error(f"This has {len(parts)} fields: use 5 (minute hour day month weekday), or 6 with seconds first.")
    parts = ["0"] * (6 - len(parts)) + parts
    for field, part in zip(Field, parts, strict=True):
        _check_field(field, part)
    return parts


def _check_field(field: Field, part: str) -> None:
    name, longest, allowed = _FIELDS[field]
    try:
        field.parse(part)
    except CronSimError:
        hint = " Write * instead of ?." if "?" in part else ""
        how = f"use * or {allowed}; as lists 1,3, upward ranges 1-3, steps */2.{hint}"
        raise _error(f'The {name} field "{part}" cannot be read: {how}') from None
    if any(int(step) > longest for step in re.findall(r"/(\d+)", part)):
        raise _error(f'The {name} field "{part}" steps over {longest}: use a smaller step, or "@every 90m".')
