"""Knows whether the database behind a pool of connections is away, so that not everybody has to find out."""

import threading
import time
from typing import Any

from psycopg import OperationalError
from psycopg_pool import ConnectionPool

from workers_app.events import note

ASK_SECONDS = 0.25
PAUSE_SECONDS = 0.5


class Watch:
    """While the database may be away, one thread for each pool asks until it answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: set[str] = set()
        self._away: set[str] = set()

    def is_away(self, pool: ConnectionPool[Any]) -> bool:
        """True from when the database was found not to answer until it does again."""
        return pool.name in self._away

    def begin(self, pool: ConnectionPool[Any]) -> None:
        """Find out whether the database is away: somebody could not connect to it."""
        with self._lock:
            if pool.name in self._asking:
                return
            self._asking.add(pool.name)
        threading.Thread(target=self._ask, args=[pool], name=f"watch-{pool.name}", daemon=True).start()

    def _ask(self, pool: ConnectionPool[Any]) -> None:
        try:
            while not (_answers(pool) or pool.closed):
                self._note(pool)
                time.sleep(PAUSE_SECONDS)
        finally:
            self._away.discard(pool.name)
            with self._lock:
                self._asking.discard(pool.name)

    def _note(self, pool: ConnectionPool[Any]) -> None:
        if not self.is_away(pool):
            self._away.add(pool.name)
            note("database_away", "The database is away; it is asked every half a second whether it is back.")


def _answers(pool: ConnectionPool[Any]) -> bool:
    """True if the pool gets a connection that works. Those it has are given up: who knows which of them do."""
    pool.drain()
    try:
        connection = pool.getconn(timeout=ASK_SECONDS)
    except OperationalError:
        return False
    pool.putconn(connection)
    return True


watch = Watch()
"""That of this process."""
