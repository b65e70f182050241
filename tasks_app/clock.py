"""The one clock that decides anything: the database's."""

from datetime import UTC, datetime

from django.db import connection

_NOW = {
    "postgresql": "SELECT clock_timestamp()",
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
}


def database_now() -> datetime:
    """The database's time, in UTC; read once per pass or request and handed down as `now`."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW[connection.vendor])
        value = cursor.fetchone()[0]
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
