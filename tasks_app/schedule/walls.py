"""Local times, and the instants they mean in a zone that sets its clock now and then.

What happens when a clock is set is a choice (`Clocks`). In a gap, local times do not exist: what is due in it runs
together, once, at the first instant after it (`run_after`), or not at all (`skip`). In an overlap local times come
twice: what is due runs in the `first` pass, in the `second`, or in `both`.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from tasks_app.schedule.zone import stretch_at

Gap = Literal["run_after", "skip"]
Overlap = Literal["first", "second", "both"]
GAPS: tuple[Gap, ...] = ("run_after", "skip")
OVERLAPS: tuple[Overlap, ...] = ("first", "second", "both")


class Clocks(NamedTuple):
    """What to do when the clock is set."""

    gap: Gap
    overlap: Overlap


FIXED = Clocks("run_after", "first")
"""For fixed times of day, as Debian's cron has it."""
ELAPSED = Clocks("skip", "both")
"""For what follows elapsed time, as Debian's cron has it."""


class Times(Protocol):
    """A set of local times (naive, whole seconds)."""

    def first_from(self, wall: datetime) -> datetime | None:
        """The first at or after `wall`; None if there is none within `HORIZON` years."""


HORIZON = 50
"""Years that are searched. The rarest cron (29 February on one weekday, across 2100) fires every 40 years."""
_STRETCHES = 2 * HORIZON
"""That many are searched for local times that are always left out because the clock is set."""
_NEAR = timedelta(days=2)
"""No offset from UTC, and no change of one, is as large as half of this."""


def first_instant(times: Times, zone: ZoneInfo, clocks: Clocks, at: datetime) -> datetime | None:
    """The first instant at or after `at` (naive, in UTC) that `times` mean in `zone`."""
    found, searched, place = None, at, at
    for _ in range(_STRETCHES):
        stretch = stretch_at(zone, place)
        if clocks.gap == "run_after" and at <= stretch.start and stretch.before < stretch.offset:
            missed = times.first_from(stretch.start + stretch.before)
            if missed and missed < stretch.start + stretch.offset:
                return stretch.start
        low, high = max(at, stretch.start) + stretch.offset, stretch.end + stretch.offset
        if clocks.overlap == "first":
            low = max(low, stretch.repeated)
        elif clocks.overlap == "second":
            high = min(high, stretch.repeating)
        if not (found and searched <= low <= found):
            found, searched = times.first_from(low), low
        if found and found < high:
            return found - stretch.offset
        place = stretch.end
        if place >= at + _NEAR:  # local times before `low` will not come again: nothing is due before `found`
            if found is None:
                return None
            place = max(place, found - _NEAR)
    return None
