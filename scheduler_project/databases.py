"""`DATABASE_URL` → Django's settings of a connection."""

from typing import Any

import dj_database_url

POOL: dict[str, Any] = {
    "min_size": 1,
    # As many as the web service has threads; who waits longer than `timeout` is told that the database is away.
    "max_size": 16,
    "timeout": 1.5,
    # After an outage the pool tries again at once when somebody asks, rather than ever more seldom.
    "reconnect_timeout": 2,
}


def parse(url: str) -> dict[str, Any]:
    """PostgreSQL: psycopg's pool, shared by a process's threads. SQLite: one lasting connection for each thread."""
    found: dict[str, Any] = dict(dj_database_url.parse(url))
    if found["ENGINE"].endswith("postgresql"):
        options = {"pool": POOL, "application_name": "scheduler", **found.get("OPTIONS", {})}
        return found | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}
    # Immediate transactions: a writer waits its turn at BEGIN, and never fails half-way with "database is locked".
    # synchronous=FULL: what the API has accepted survives a power cut.
    options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    return found | {"CONN_MAX_AGE": 600, "OPTIONS": options}
