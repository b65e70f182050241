"""The kinds of schedules: each is a set of instants that can tell the first one at or after a given one.

Inside, instants are naive, in UTC and whole seconds; at the edge (`next_after`, `fires`) they are aware.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from tasks_app.schedule.moved import MovedTimes
from tasks_app.schedule.walls import Clocks, Times, first_instant
from tasks_app.schedule.zone import offset, stretch_at

_SECOND = timedelta(seconds=1)
_EARLIEST = datetime(1900, 1, 1)
LATEST = datetime(9900, 1, 1)

Mark = Literal["", "gap", "overlap", "moved"]
"""gap: moved here because its local time does not exist. overlap: the local time comes twice. moved: here from a closed
day."""


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

    lag = _SECOND
    """What comes after an instant is at least this much later."""
    waits = False
    """It goes on from the end of a run, not from its nominal time."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def next_after(self, after: datetime) -> datetime | None:
        """The first instant strictly after `after`, in UTC; None if there is none for many years."""
        plain = after.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        found = self.first(max(plain, _EARLIEST) + self.lag) if plain < LATEST else None
        return found and found.replace(tzinfo=UTC)

    def fires(self, after: datetime, count: int) -> list[Fire]:
        """The first `count` instants after `after`, as a person wants to see them."""
        found: list[Fire] = []
        while len(found) < count and (at := self.next_after(after)):
            found.append(self.fire(at))
            after = at
        return found

    def fire(self, at: datetime) -> Fire:
        """One of its instants (aware) as a person wants to see it."""
        return Fire(at, at.astimezone(self.zone), self.mark(at.replace(tzinfo=None)))

    def first(self, at: datetime) -> datetime | None:
        """The first instant at or after `at`."""
        return None

    def mark(self, at: datetime) -> Mark:
        """What is to be said of the instant `at`, one of its own."""
        stretch = stretch_at(self.zone, at)
        wall = at + stretch.offset
        return "overlap" if wall < stretch.repeated or wall >= stretch.repeating else ""


class Once(Schedule):
    """One instant; `mark` is what is to be said of it."""

    def __init__(self, at: datetime, zone: ZoneInfo, mark: Mark = "") -> None:
        super().__init__(zone)
        self.at = at
        self._mark = mark

    def first(self, at: datetime) -> datetime | None:
        return self.at if at <= self.at else None

    def mark(self, at: datetime) -> Mark:
        return self._mark or super().mark(at)


class Every(Schedule):
    """An anchor, and all instants that are a multiple of a step away from it, before and after."""

    def __init__(self, step: timedelta, anchor: datetime, zone: ZoneInfo) -> None:
        super().__init__(zone)
        self.step = step
        self.anchor = anchor

    def first(self, at: datetime) -> datetime:
        return self.anchor - (self.anchor - at) // self.step * self.step


class After(Schedule):
    """A fixed delay from the end of one run to the next: any instant will do, but for that."""

    waits = True

    def __init__(self, delay: timedelta, zone: ZoneInfo) -> None:
        super().__init__(zone)
        self.lag = delay

    def first(self, at: datetime) -> datetime:
        return at


class Local(Schedule):
    """Local times, mapped to instants by the zone's rules."""

    def __init__(self, times: Times, clocks: Clocks, zone: ZoneInfo, elapsed: bool = False) -> None:
        """`elapsed`: they follow elapsed time and are no fixed times of day."""
        super().__init__(zone)
        self.times = times
        self.clocks = clocks
        self.elapsed = elapsed

    def first(self, at: datetime) -> datetime | None:
        return first_instant(self.times, self.zone, self.clocks, at)

    def mark(self, at: datetime) -> Mark:
        wall = at + offset(self.zone, at)
        return super().mark(at) if self.times.first_from(wall) == wall else "gap"


class Moved(Local):
    """Local times of which those on closed days have been moved."""

    times: MovedTimes

    def mark(self, at: datetime) -> Mark:
        wall = at + offset(self.zone, at)
        return super().mark(at) or ("moved" if self.times.is_moved(wall) else "")


class Single:
    """See `walls.Times`: one local time."""

    def __init__(self, wall: datetime) -> None:
        self.wall = wall

    def first_from(self, wall: datetime) -> datetime | None:
        return self.wall if wall <= self.wall else None


class Spread(Schedule):
    """Another schedule, later by the same time always."""

    def __init__(self, base: Schedule, shift: timedelta) -> None:
        super().__init__(base.zone)
        self.base = base
        self.shift = shift

    def first(self, at: datetime) -> datetime | None:
        found = self.base.first(at - self.shift)
        return found and found + self.shift

    def mark(self, at: datetime) -> Mark:
        return self.base.mark(at - self.shift)


class Between(Schedule):
    """Another schedule, from `start` on and before `end`."""

    def __init__(self, base: Schedule, start: datetime, end: datetime) -> None:
        super().__init__(base.zone)
        self.lag = base.lag
        self.waits = base.waits
        self.base = base
        self.start = start
        self.end = end

    def first(self, at: datetime) -> datetime | None:
        found = self.base.first(max(at, self.start))
        return found if found and found < self.end else None

    def mark(self, at: datetime) -> Mark:
        return self.base.mark(at)


class Together(Schedule):
    """Several schedules; an instant that more than one has comes once, as the first one has it."""

    def __init__(self, members: tuple[Schedule, ...]) -> None:
        super().__init__(members[0].zone)
        self.members = members

    def first(self, at: datetime) -> datetime | None:
        return min((found for member in self.members if (found := member.first(at))), default=None)

    def fire(self, at: datetime) -> Fire:
        instant = at.replace(tzinfo=None)
        return next(member for member in self.members if member.first(instant) == instant).fire(at)
