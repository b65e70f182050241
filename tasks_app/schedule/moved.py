"""Local times of which those on closed days come on another day, at the same time of day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, Protocol

from tasks_app.schedule.walls import Times

MOST_DAYS = 366
"""Nothing is moved farther."""
FARTHEST = 1100
"""Days that are searched for one that is open."""

_DAY = timedelta(days=1)

Direction = Literal["previous", "next"]


class Days(Protocol):
    """Which days are closed."""

    def day(self, day: date) -> str | None:
        """Why `day` is closed; None if it is open."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Where to move what is due on a closed day."""

    days: Days
    to: Direction


class MovedTimes:
    """See `walls.Times`. What comes to the same time from several days comes once."""

    def __init__(self, times: Times, shift: Shift) -> None:
        self.times = times
        self.shift = shift

    def first_from(self, wall: datetime) -> datetime | None:
        """The first local time at or after `wall`."""
        place = _midnight(self._stretch_before(wall.date()) if self.shift.to == "next" else wall.date())
        while found := self.times.first_from(place):
            target, sources = self._around(found.date())
            if target and target >= wall.date():
                earliest = wall.time() if target == wall.date() else time()
                if moved := min(self._times_of_day(sources, earliest), default=None):
                    return datetime.combine(target, moved)
            if not sources:
                return None
            place = _midnight(sources[-1] + _DAY)
        return None

    def is_moved(self, wall: datetime) -> bool:
        """Has one of its times been put there?"""
        return self.times.first_from(wall) != wall

    def _times_of_day(self, days: list[date], earliest: time) -> Iterator[time]:
        """The first of each of `days` that is not before `earliest`."""
        for day in days:
            found = self.times.first_from(datetime.combine(day, earliest))
            if found and found.date() == day:
                yield found.time()

    def _stretch_before(self, day: date) -> date:
        """The first of the closed days right before `day`; `day` if there are none."""
        first = day
        while day - first < MOST_DAYS * _DAY and self._closed(first - _DAY):
            first -= _DAY
        return first

    def _around(self, day: date) -> tuple[date | None, list[date]]:
        """Where what is due on `day` comes, and from `day` on all the days from which something comes there.

        Where it comes nowhere: the last day to be passed over; none where all days are closed for years.
        """
        return self._forward(day) if self.shift.to == "next" else self._backward(day)

    def _forward(self, day: date) -> tuple[date | None, list[date]]:
        target = self._open_from(day)
        if target is None:
            return None, []
        nearest = target - MOST_DAYS * _DAY
        return (target, list(_span(day, target))) if nearest <= day else (None, [nearest - _DAY])

    def _backward(self, day: date) -> tuple[date | None, list[date]]:
        target = self._stretch_before(day) - _DAY if self._closed(day) else day
        following = self._open_from(day + _DAY)
        end = following and following - _DAY
        reach = target + MOST_DAYS * _DAY
        if self._closed(target) or reach < day:
            return None, [end] if end else []
        return target, list(_span(day, min(end or reach, reach)))

    def _open_from(self, day: date) -> date | None:
        return next((each for each in _days(day, FARTHEST) if not self._closed(each)), None)

    def _closed(self, day: date) -> bool:
        return self.shift.days.day(day) is not None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _days(day: date, count: int) -> Iterator[date]:
    return (day + number * _DAY for number in range(count))


def _span(first: date, last: date) -> Iterator[date]:
    return _days(first, (last - first).days + 1)
