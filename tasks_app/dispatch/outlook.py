"""What there is to do, and when there will be: one look at the database before any duty that may have nothing to do."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one look has shown."""

    next_due: datetime | None
    """The earliest nominal time that has not been fired, due or to come."""
    next_ready: datetime | None
    """When the next pending run passes the time gate."""
    placements: list[str]
    """The distinct placements of pending runs that wait at no gate."""
    troubled: bool
    """There are circuits that are not as good as new: else nobody needs to look at any."""
    backfilling: bool
    """There are backfills that are running."""
    permits: bool = False
    """Runs have taken something that is counted."""
    waiting: bool = False
    """Runs wait at a gate."""
    unsettled: bool = False
    """Runs have ended that others wait for."""
    chained: bool = False
    """There are tasks that depend on others."""
    next_free: datetime | None = None
    """When the next permit of a rate ends."""


# Placements are found by one index probe each, however many runs there are.
_LOOK = """
    WITH RECURSIVE found(placement) AS (
        SELECT MIN(placement) FROM tasks_app_taskrun WHERE status = 'pending' AND gate = ''
        UNION ALL
        SELECT (SELECT MIN(run.placement) FROM tasks_app_taskrun AS run
                WHERE run.status = 'pending' AND run.gate = '' AND run.placement > found.placement)
        FROM found WHERE found.placement IS NOT NULL
    )
    SELECT
        (SELECT MIN(next_fire_at) FROM tasks_app_task
         WHERE status = 'active' AND hold = 0 AND deleted_at IS NULL AND next_fire_at IS NOT NULL),
        (SELECT MIN(available_at) FROM tasks_app_taskrun WHERE status = 'pending' AND available_at > %s),
        (SELECT {array}(placement) FROM found WHERE placement IS NOT NULL),
        EXISTS (SELECT 1 FROM tasks_app_circuit WHERE state <> 'closed' OR failures > 0),
        EXISTS (SELECT 1 FROM tasks_app_backfill WHERE status = 'running'),
        EXISTS (SELECT 1 FROM tasks_app_permit),
        EXISTS (SELECT 1 FROM tasks_app_taskrun WHERE status = 'pending' AND gate <> ''),
        EXISTS (SELECT 1 FROM tasks_app_taskrun
                WHERE NOT settled AND status IN ('succeeded', 'failed', 'skipped', 'cancelled')),
        EXISTS (SELECT 1 FROM tasks_app_taskdependency),
        (SELECT MIN(until) FROM tasks_app_permit WHERE until IS NOT NULL)
"""
_ARRAY = {"postgresql": "json_agg", "sqlite": "json_group_array"}


def look(now: datetime) -> Outlook:
    """One statement, which costs the same however many tasks and runs there are."""
    with connection.cursor() as cursor:
        adapted = connection.ops.adapt_datetimefield_value(now)
        cursor.execute(_LOOK.format(array=_ARRAY[connection.vendor]), [adapted])
        due, ready, placements, troubled, backfilling, permits, waiting, unsettled, chained, free = cursor.fetchone()
    found = json.loads(placements) if isinstance(placements, str) else placements
    return Outlook(
        next_due=_moment(due),
        next_ready=_moment(ready),
        placements=found or [],
        troubled=bool(troubled),
        backfilling=bool(backfilling),
        permits=bool(permits),
        waiting=bool(waiting),
        unsettled=bool(unsettled),
        chained=bool(chained),
        next_free=_moment(free),
    )


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite hands out text, in UTC and without saying so."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value
