"""The local times of a recurrence rule (RFC 5545, section 3.3.10), for periods of a day and longer."""

from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import dropwhile, groupby, islice, takewhile
from typing import Literal

from tasks_app.schedule.walls import HORIZON

Frequency = Literal["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been read. Empty tuples limit nothing; what a rule leaves to its start is filled in."""

    start: datetime
    """DTSTART, in local time."""
    frequency: Frequency
    interval: int
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    count: int | None = None
    until: datetime | None = None
    """In local time, the last that is allowed."""
    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    """Monday is 0; then which one of the month or year it is, from 1 or from -1 on, or 0 for each of them."""
    positions: tuple[int, ...] = ()
    """BYSETPOS."""
    week_start: int = 0


class RuleTimes:
    """See `walls.Times`."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._clock = [time(h, m, s) for h in rule.hours for m in rule.minutes for s in rule.seconds]
        self._shapes: dict[tuple[int, ...], list[int]] = {}
        self._counted = None if rule.count is None else list(islice(self._all_from(rule.start), rule.count))

    def first_from(self, wall: datetime) -> datetime | None:
        """The first local time at or after `wall`."""
        if self._counted is not None:
            place = bisect_left(self._counted, wall)
            return self._counted[place] if place < len(self._counted) else None
        return next(self._all_from(max(wall, self.rule.start)), None)

    def _all_from(self, wall: datetime) -> Iterator[datetime]:
        until = self.rule.until or datetime.max
        times = self._chosen_from(wall.date()) if self.rule.positions else self._times_from(wall.date())
        return takewhile(lambda each: each <= until, dropwhile(lambda each: each < wall, times))

    def _times_from(self, day: date) -> Iterator[datetime]:
        return (datetime.combine(each, clock) for each in self._days_from(day) for clock in self._clock)

    def _chosen_from(self, day: date) -> Iterator[datetime]:
        """What BYSETPOS leaves of each period, from that of `day` on."""
        clock = self._clock
        for _, period in groupby(self._days_from(self._first_day(self._period(day))), self._period):
            days = list(period)
            size = len(days) * len(clock)
            for place in sorted({n - 1 if n > 0 else size + n for n in self.rule.positions}):
                if 0 <= place < size:
                    yield datetime.combine(days[place // len(clock)], clock[place % len(clock)])

    def _days_from(self, day: date) -> Iterator[date]:
        """The days from `day` on that the filters let pass, in periods that the interval does not leave out."""
        interval, end = self.rule.interval, day.year + HORIZON + 2
        while day.year < end:
            first, places = date(day.year, 1, 1), self._places(day.year)
            for place in places[bisect_left(places, (day - first).days) :]:
                found = first + timedelta(days=place)
                period = self._period(found)
                if left_out := period % interval:
                    day = self._first_day(period + interval - left_out)
                    break
                yield found
            else:
                day = date(day.year + 1, 1, 1)

    def _first_day(self, period: int) -> date:
        """The first day of that period since the start's; the last day there is where it comes later."""
        start = self.rule.start.date()
        match self.rule.frequency:
            case "YEARLY":
                year, month = start.year + period, 0
            case "MONTHLY":
                year, month = divmod(start.year * 12 + start.month - 1 + period, 12)
            case "WEEKLY":
                return start + timedelta(weeks=period, days=-((start.weekday() - self.rule.week_start) % 7))
            case _:
                return start + timedelta(days=period)
        return date(year, month + 1, 1) if year <= date.max.year else date.max

    def _period(self, day: date) -> int:
        """Which period since that of the start; periods are years, months, weeks or days."""
        start, frequency, first = self.rule.start, self.rule.frequency, self.rule.week_start
        if frequency == "YEARLY":
            return day.year - start.year
        if frequency == "MONTHLY":
            return (day.year - start.year) * 12 + day.month - start.month
        if frequency == "WEEKLY":
            return (day.toordinal() - 1 - first) // 7 - (start.toordinal() - 1 - first) // 7
        return day.toordinal() - start.toordinal()

    def _places(self, year: int) -> list[int]:
        """The days of a year that the filters let pass, counted from 0 on.

        They depend on its first weekday, on its length and on that of its neighbours alone: there are about 30 shapes.
        """
        shape = (date(year, 1, 1).weekday(), *map(isleap, (year - 1, year, year + 1)))
        if shape not in self._shapes:
            months = self.rule.months or range(1, 13)
            days = (date(year, month, n + 1) for month in sorted(months) for n in range(monthrange(year, month)[1]))
            self._shapes[shape] = [_of_year(day)[0] - 1 for day in days if self._passes(day)]
        return self._shapes[shape]

    def _passes(self, day: date) -> bool:
        rule = self.rule
        return (
            (not rule.month_days or _is_in(rule.month_days, day.day, monthrange(day.year, day.month)[1]))
            and (not rule.weekdays or any(self._is_weekday(day, *each) for each in rule.weekdays))
            and (not rule.year_days or _is_in(rule.year_days, *_of_year(day)))
            and (not rule.weeks or _is_in(rule.weeks, *_week(day, rule.week_start)))
        )

    def _is_weekday(self, day: date, weekday: int, nth: int) -> bool:
        if day.weekday() != weekday or nth == 0:
            return day.weekday() == weekday
        of_year = self.rule.frequency == "YEARLY" and not self.rule.months
        place, length = _of_year(day) if of_year else (day.day, monthrange(day.year, day.month)[1])
        return nth in ((place + 6) // 7, -((length - place + 7) // 7))


def _is_in(wanted: tuple[int, ...], place: int, length: int) -> bool:
    """Is it among what is wanted, counted from 1 on or, backward, from -1 on?"""
    return place in wanted or place - length - 1 in wanted


def _of_year(day: date) -> tuple[int, int]:
    """Which day of its year it is, and how many the year has."""
    return day.timetuple().tm_yday, 365 + isleap(day.year)


def _week(day: date, first: int) -> tuple[int, int]:
    """Which week it is in, of how many of the year that the week belongs to: the one that has most of its days."""
    fourth = day + timedelta(days=3 - (day.weekday() - first) % 7)
    place, length = _of_year(fourth)
    number = (place + 6) // 7
    return number, number + (length - place) // 7
