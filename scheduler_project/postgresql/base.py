"""Django's PostgreSQL, where nobody waits for a database that is known to be away.

The engine of `DATABASES`; Django looks for it under this module's name.
"""

import time
from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import PoolTimeout

from scheduler_project.postgresql.connection import Connection
from scheduler_project.postgresql.watch import watch

PATIENCE_SECONDS = 1.5
"""Who has waited so long for a connection is told that the database is away."""


class DatabaseWrapper(base.DatabaseWrapper):
    """A thread's connection, from the process's pool."""

    @property
    def pool(self) -> Any:
        """Django's own, which also tells when it cannot connect."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if isinstance(options, dict):
            options.setdefault("reconnect_failed", watch.begin)
            options.setdefault("connection_class", Connection)
        return super().pool

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection that works; raises the driver's `OperationalError`, at once where the database is away."""
        until = time.monotonic() + PATIENCE_SECONDS
        pool = self.pool
        while True:
            if pool and watch.is_away(pool):
                raise self.Database.OperationalError("the database was away a moment ago")
            try:
                return super().get_new_connection(conn_params)
            except PoolTimeout:
                if time.monotonic() > until:
                    watch.begin(pool)
                    raise
