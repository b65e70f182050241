"""What there is to do for django-celery-beat, and which of its rows have been edited."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

_LOOK = """
    SELECT
        (SELECT MIN(check_at) FROM tasks_app_periodiccheck),
        (SELECT MAX(last_update) FROM django_celery_beat_periodictasks),
        EXISTS (SELECT 1 FROM tasks_app_periodicmessage)
"""

# Its own marker says that something has changed, and not what: schedules are rows of their own, and may be shared.
_SYNC = """
    INSERT INTO tasks_app_periodiccheck (periodic_task, check_at, seen)
    SELECT now.id, %s, now.seen
    FROM (
        SELECT task.id, CAST({array}(
            task.date_changed, task.enabled, task.last_run_at IS NULL, task.one_off, task.start_time, task.expires,
            task.interval_id, every, period,
            task.crontab_id, minute, hour, day_of_month, month_of_year, day_of_week, timezone,
            task.solar_id, event, latitude, longitude,
            task.clocked_id, clocked_time
        ) AS text) AS seen
        FROM django_celery_beat_periodictask AS task
        LEFT JOIN django_celery_beat_intervalschedule AS i ON i.id = task.interval_id
        LEFT JOIN django_celery_beat_crontabschedule AS c ON c.id = task.crontab_id
        LEFT JOIN django_celery_beat_solarschedule AS s ON s.id = task.solar_id
        LEFT JOIN django_celery_beat_clockedschedule AS k ON k.id = task.clocked_id
    ) AS now
    LEFT JOIN tasks_app_periodiccheck AS before ON before.periodic_task = now.id
    WHERE before.seen IS NULL OR before.seen <> now.seen
    ORDER BY now.id
    ON CONFLICT (periodic_task) DO UPDATE SET check_at = excluded.check_at, seen = excluded.seen
"""
_ARRAY = {"postgresql": "jsonb_build_array", "sqlite": "json_array"}


@dataclass(frozen=True, slots=True)
class Prospect:
    """What one look has shown."""

    next_check: datetime | None
    marker: Any
    """Of its rows' last change, to be compared with what it was before."""
    mail: bool
    """There are messages to be sent."""


def look() -> Prospect:
    """One statement, which costs the same however many rows there are."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK)
        check, marker, mail = cursor.fetchone()
    # SQLite hands out text, in UTC and without saying so.
    moment = datetime.fromisoformat(check).replace(tzinfo=UTC) if isinstance(check, str) else check
    return Prospect(moment, marker, bool(mail))


def sync(now: datetime) -> int:
    """Have all rows that were made or edited looked at; return how many those are."""
    with connection.cursor() as cursor:
        cursor.execute(_SYNC.format(array=_ARRAY[connection.vendor]), [connection.ops.adapt_datetimefield_value(now)])
        return int(cursor.rowcount)
