"""The one clock that decides anything: the database's."""

import time
from datetime import UTC, datetime, timedelta

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


class ClockWatch:
    """Notices that somebody has set the database's clock: it then went on otherwise than our monotonic one."""

    TOLERANCE = timedelta(seconds=3)
    """An answer may take that long, and then seem late."""

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    def jump(self, now: datetime) -> timedelta | None:
        """By how much the clock was set since the last look; None: there was none. `now` has just been read from it."""
        last, self._last = self._last, (now, time.monotonic())
        if last is None:
            return None
        jump = (now - last[0]) - timedelta(seconds=self._last[1] - last[1])
        return jump if abs(jump) > self.TOLERANCE else timedelta()
