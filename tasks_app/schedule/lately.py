"""The last instants of a schedule before a moment, found without walking through all that came earlier."""

from datetime import datetime, timedelta

from tasks_app.schedule.kinds import Schedule

_SECOND = timedelta(seconds=1)


def newest(plan: Schedule, since: datetime, until: datetime, most: int) -> list[datetime]:
    """The last instants from `since` on and before `until` (aware): all of them, or at least `most`; oldest first.

    It looks into windows before `until`, each twice as long as the one before, until one holds enough.
    """
    window = most * _SECOND
    found: list[datetime] = []
    while most > 0 and since < until:
        start = max(since, until - window)
        found = _between(plan, start, until)
        if start == since or len(found) >= most:
            break
        window *= 2
    return found


def _between(plan: Schedule, start: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    at = plan.next_after(start - _SECOND)
    while at and at < until:
        found.append(at)
        at = plan.next_after(at)
    return found
