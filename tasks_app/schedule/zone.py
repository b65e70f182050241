"""Time zones as stretches of one offset from UTC. Instants and local times are naive, in whole seconds."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from tasks_app.schedule.errors import ScheduleError

_STEP, _EARLY_STEP = timedelta(days=6), timedelta(days=3)
"""From 1970 on, and before: no zone has ever set its clock twice within it, or plans to. Next to it are Noronha with
seven days of 2000, Gaza with seven of 2040, and Freetown with four of 1939."""
_SECOND = timedelta(seconds=1)


class Stretch(NamedTuple):
    """A time in which a zone's clock goes on without being set, and what it was set by before and after.

    It ends with its year at the latest; then the clock is not set at all there.
    """

    start: datetime
    """In UTC, the first instant."""
    end: datetime
    """In UTC, the first instant of the next one."""
    offset: timedelta
    """Local time less UTC."""
    before: timedelta
    """The offset of the stretch before this one."""
    after: timedelta
    """The offset of the next one."""

    @property
    def repeated(self) -> datetime:
        """The first local time of this stretch that the one before has not shown already."""
        return self.start + max(self.before, self.offset)

    @property
    def repeating(self) -> datetime:
        """The first local time of this stretch that the next one shows again; its end if there is none."""
        return self.end + min(self.after, self.offset)


def zone(name: str) -> ZoneInfo:
    """The zone of that name; raises `ScheduleError` with names that are like it."""
    if name not in _names():
        close = " or ".join(_close(name))
        hint = f"did you mean {close}?" if close else "use an IANA name such as Europe/Berlin or UTC."
        raise ScheduleError("timezone", f"Unknown time zone {name[:64]!r}: {hint}")
    return ZoneInfo(name)


def stretch_at(zone: ZoneInfo, at: datetime) -> Stretch:
    """The stretch that holds the instant `at`."""
    return next(stretch for stretch in _of_year(zone, at.year) if at < stretch.end)


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    """Local time less UTC at the instant `at`."""
    return zone.fromutc(at.replace(tzinfo=zone)).utcoffset() or timedelta()


@lru_cache(maxsize=8192)
def _of_year(zone: ZoneInfo, year: int) -> list[Stretch]:
    """The stretches of one year (in UTC)."""
    start, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    step = _STEP if year >= 1970 else _EARLY_STEP
    points = [*(start + n * step for n in range((end - start) // step + 1)), end]
    placed = start.replace(tzinfo=zone)
    offsets = [zone.fromutc(placed + (point - start)).utcoffset() for point in points]
    changes = [pair for pair, (one, two) in zip(pairwise(points), pairwise(offsets), strict=True) if one != two]
    cuts = [start, *(_change(zone, *pair) for pair in changes)]
    found = [offset(zone, cut) for cut in cuts]
    before = [offset(zone, start - _SECOND), *found]
    after = [*found[1:], offset(zone, end)]
    return list(map(Stretch, cuts, [*cuts[1:], end], found, before, after))


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The instant after `start` from which on the offset of `end` holds."""
    new = offset(zone, end)
    seconds = range((end - start) // _SECOND)
    return start + _SECOND * (
        1 + bisect_left(seconds, True, key=lambda n: offset(zone, start + (n + 1) * _SECOND) == new)
    )


@cache
def _names() -> frozenset[str]:
    """The zones of the tz database. Asking this list keeps paths away from the file system."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _close(name: str) -> list[str]:
    wanted = name[:64].strip().replace(" ", "_").lower()
    by_key = {key: zone for zone in sorted(_names()) for key in (zone.rpartition("/")[2].lower(), zone.lower())}
    keys = get_close_matches(wanted, by_key, n=3, cutoff=0.7)
    return list(dict.fromkeys(by_key[key] for key in keys))
