"""Calendars laid over a plan: which of its instants are closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks_app.calendars.calendar import FARTHEST, Calendar
from tasks_app.schedule import Mark, Schedule, stretch_at

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closures:
    """What several calendars together close. Instants are aware."""

    calendars: tuple[tuple[str, Calendar], ...] = ()
    """Each with its name."""

    def why(self, at: datetime, zone: ZoneInfo) -> str:
        """Why the instant `at` is closed for what goes by the local time of `zone`; empty if it is open."""
        plain = at.astimezone(UTC).replace(tzinfo=None)
        found = ((name, _why(calendar, plain, zone)) for name, calendar in self.calendars)
        return next((f"{name}: {why}" for name, why in found if why), "")

    def over(self, plan: Schedule) -> Schedule:
        """The instants of `plan` that are open."""
        return Open(plan, tuple(calendar for _, calendar in self.calendars)) if self.calendars else plan


class Open(Schedule):
    """The instants of another schedule that no calendar closes."""

    def __init__(self, base: Schedule, calendars: tuple[Calendar, ...]) -> None:
        super().__init__(base.zone)
        self.lag = base.lag
        self.waits = base.waits
        self.base = base
        self.calendars = calendars

    def first(self, at: datetime) -> datetime | None:
        found, last = self.base.first(at), at + FARTHEST * _DAY
        while found and (closed := next((each for each in self.calendars if _why(each, found, self.zone)), None)):
            if found > last:
                return None
            reopened = _reopens(closed, found, self.zone)
            found = reopened and self.base.first(reopened)
        return found

    def mark(self, at: datetime) -> Mark:
        return self.base.mark(at)


def _why(calendar: Calendar, at: datetime, zone: ZoneInfo) -> str | None:
    place = calendar.zone_for(zone)
    return calendar.at(at + stretch_at(place, at).offset)


def _reopens(calendar: Calendar, at: datetime, zone: ZoneInfo) -> datetime | None:
    """An instant after the closed `at`, and before which nothing is open; None if nothing is open for years.

    Where the clock is set, one has to look again: the instant may be closed too.
    """
    stretch = stretch_at(calendar.zone_for(zone), at)
    wall = calendar.reopens(at + stretch.offset)
    return wall and min(wall - stretch.offset, stretch.end)
