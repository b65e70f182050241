"""The local times that cron fields name."""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import datetime

from tasks_app.schedule.fields import Days, Fields
from tasks_app.schedule.walls import HORIZON

_MONDAY, _SATURDAY, _SUNDAY = 1, 6, 0


class CronTimes:
    """See `walls.Times`."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self._hours = sorted(fields.hours)
        self._minutes = sorted(fields.minutes)
        self._seconds = sorted(fields.seconds)
        self._shapes: dict[tuple[int, int], list[int]] = {}
        self._years: dict[int, int] = {}

    def first_from(self, wall: datetime) -> datetime | None:
        """The first local time at or after `wall`."""
        if self.fields.years is not None and wall.year not in self.fields.years:
            later = [year for year in self.fields.years if year > wall.year]
            return self.first_from(datetime(min(later), 1, 1)) if later else None
        if wall.month in self.fields.months and wall.day in self._days(wall.year, wall.month):
            clock = self._clock_from(wall.hour, wall.minute, wall.second)
            if clock:
                return wall.replace(hour=clock[0], minute=clock[1], second=clock[2])
        day = self._day_after(wall.year, wall.month, wall.day)
        return wall.replace(*day, self._hours[0], self._minutes[0], self._seconds[0]) if day else None

    def count(self, start: datetime, end: datetime) -> int:
        """How many there are from `start` on and before `end`."""
        a_day = len(self._hours) * len(self._minutes) * len(self._seconds)
        days = self._days_before(end.year, end.month, end.day) - self._days_before(start.year, start.month, start.day)
        return days * a_day + self._count_of_day(end) - self._count_of_day(start)

    def _clock_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first time of day at or after the given one."""
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        if hour in self.fields.hours:
            if minute in self.fields.minutes and second <= seconds[-1]:
                return hour, minute, seconds[bisect_left(seconds, second)]
            if minute < minutes[-1]:
                return hour, minutes[bisect_right(minutes, minute)], seconds[0]
        if hour < hours[-1]:
            return hours[bisect_right(hours, hour)], minutes[0], seconds[0]
        return None

    def _day_after(self, year: int, month: int, day: int) -> tuple[int, int, int] | None:
        for _ in range(HORIZON * 12 + 1):
            for each in self._days(year, month):
                if each > day:
                    return year, month, each
            year, month, day = (year, month + 1, 0) if month < 12 else (year + 1, 1, 0)
        return None

    def _days(self, year: int, month: int) -> list[int]:
        """The days of a month that match. They depend on its shape (first weekday, length) alone: there are 28."""
        if month not in self.fields.months or (self.fields.years is not None and year not in self.fields.years):
            return []
        shape = monthrange(year, month)
        if shape not in self._shapes:
            self._shapes[shape] = days_of_month(self.fields.days, *shape)
        return self._shapes[shape]

    def _days_before(self, year: int, month: int, day: int) -> int:
        """How many days match before that one, from the year 1970 on."""
        months = sum(len(self._days(year, each)) for each in range(1, month))
        return sum(map(self._days_of, range(1970, year))) + months + bisect_left(self._days(year, month), day)

    def _days_of(self, year: int) -> int:
        if year not in self._years:
            self._years[year] = sum(len(self._days(year, month)) for month in range(1, 13))
        return self._years[year]

    def _count_of_day(self, wall: datetime) -> int:
        """How many times of its day are before `wall`."""
        if wall.day not in self._days(wall.year, wall.month):
            return 0
        minutes, seconds = len(self._minutes), len(self._seconds)
        found = bisect_left(self._hours, wall.hour) * minutes * seconds
        if wall.hour in self.fields.hours:
            found += bisect_left(self._minutes, wall.minute) * seconds
            if wall.minute in self.fields.minutes:
                found += bisect_left(self._seconds, wall.second)
        return found


def days_of_month(days: Days, first: int, length: int) -> list[int]:
    """The days that match in a month of `length` days whose first is the weekday `first` (Monday is 0)."""
    by_month = days.days | {length - n for n in days.before_last} | {_nearest(n, first, length) for n in days.nearest}
    if days.last_working:
        by_month |= {max(day for day in range(1, length + 1) if _is_working(day, first))}
    by_week = {day for day in range(1, length + 1) if _is_named(days, day, first, length)}
    found = by_month & by_week if days.both else by_month | by_week
    return sorted(day for day in found if 1 <= day <= length)


def _is_named(days: Days, day: int, first: int, length: int) -> bool:
    weekday = _weekday(day, first)
    last = day + 7 > length
    return weekday in days.weekdays or (weekday, (day + 6) // 7) in days.nth or (last and (weekday, -1) in days.nth)


def _weekday(day: int, first: int) -> int:
    """Sunday is 0."""
    return (first + day) % 7


def _is_working(day: int, first: int) -> bool:
    return _weekday(day, first) not in (_SATURDAY, _SUNDAY)


def _nearest(day: int, first: int, length: int) -> int:
    """The working day nearest to `day` that is in the same month; 0 where the month has no such day."""
    if day > length:
        return 0
    near = [n for n in (day, day - 1, day + 1, day + 2, day - 2) if 1 <= n <= length and _is_working(n, first)]
    return near[0]
