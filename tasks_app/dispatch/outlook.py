"""What there is to do, and when there will be: one look at the database before any duty that may have nothing to do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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
    spreading: bool = False
    """Runs are carried out as many."""
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
         WHERE status = 'active' AND hold = 0 AND deleted_at IS NULL AND next_fire_at IS NOT NULL) AS next_due,
        (SELECT MIN(available_at) FROM tasks_app_taskrun
         WHERE status = 'pending' AND available_at > %s) AS next_ready,
        (SELECT {array}(placement) FROM found WHERE placement IS NOT NULL) AS placements,
        EXISTS (SELECT 1 FROM tasks_app_circuit WHERE state <> 'closed' OR failures > 0) AS troubled,
        EXISTS (SELECT 1 FROM tasks_app_backfill WHERE status = 'running') AS backfilling,
        EXISTS (SELECT 1 FROM tasks_app_permit) AS permits,
        EXISTS (SELECT 1 FROM tasks_app_taskrun WHERE status = 'pending' AND gate <> '') AS waiting,
        EXISTS (SELECT 1 FROM tasks_app_taskrun
                WHERE NOT settled AND status IN ('succeeded', 'failed', 'skipped', 'cancelled')) AS unsettled,
        EXISTS (SELECT 1 FROM tasks_app_taskdependency) AS chained,
        EXISTS (SELECT 1 FROM tasks_app_fanout WHERE completed_at IS NULL) AS spreading,
        (SELECT MIN(until) FROM tasks_app_permit WHERE until IS NOT NULL) AS next_free
"""
_ARRAY = {"postgresql": "json_agg", "sqlite": "json_group_array"}


def look(now: datetime) -> Outlook:
    """One statement, which costs the same however many tasks and runs there are."""
    with connection.cursor() as cursor:
        adapted = connection.ops.adapt_datetimefield_value(now)
        cursor.execute(_LOOK.format(array=_ARRAY[connection.vendor]), [adapted])
        names = [str(column[0]) for column in cursor.description]
        values = dict(zip(names, cursor.fetchone(), strict=True))
    return Outlook(**{name: _READ.get(name, bool)(value) for name, value in values.items()})


def _list(value: list[str] | str | None) -> list[str]:
    return (json.loads(value) if isinstance(value, str) else value) or []


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite hands out text, in UTC and without saying so."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "next_due": _moment,
    "next_ready": _moment,
    "next_free": _moment,
    "placements": _list,
}
"""How the columns of `_LOOK` are read; all others are flags."""
