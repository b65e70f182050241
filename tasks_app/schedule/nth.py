"""Every n-th of the local times of a cron, counted from an anchor, so that nothing needs to be remembered."""

from datetime import datetime, timedelta

from tasks_app.schedule.cron import CronTimes
from tasks_app.schedule.walls import HORIZON


class EveryNth:
    """See `walls.Times`. The first local time at or after `anchor` is one of them, and then each `n`-th."""

    def __init__(self, times: CronTimes, n: int, anchor: datetime) -> None:
        self.times = times
        self.n = n
        self.anchor = anchor

    def first_from(self, wall: datetime) -> datetime | None:
        """The first local time at or after `wall`."""
        start = max(wall, self.anchor)
        found = self.times.first_from(start)
        for _ in range(-self.times.count(self.anchor, found) % self.n if found else 0):
            if found is None or found.year > start.year + HORIZON:  # a thousand leap years are more than the calendar
                return None
            found = self.times.first_from(found + timedelta(seconds=1))
        return found
