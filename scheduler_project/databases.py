"""`DATABASE_URL` → Django's settings of a connection."""

from typing import Any

import dj_database_url

POOL: dict[str, Any] = {
    "min_size": 1,
    # As many as the web service has threads, and some for live logs.
    "max_size": 24,
    # So long at a time: the engine asks again until its patience is at an end.
    "timeout": 0.25,
    # A failure is tried once more, and then told: the engine watches, and tries again as soon as it makes sense.
    "reconnect_timeout": 0.1,
}

LOST_SECONDS = 4
"""Without an acknowledgement or a sign of life for so long the connection is taken as broken."""
TCP: dict[str, Any] = {
    "connect_timeout": LOST_SECONDS,
    "tcp_user_timeout": LOST_SECONDS * 1000,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
}
LIMITS = {
    # No call waits for ever: neither for what others hold, nor for a server that is slow.
    "lock_timeout": "2s",
    "statement_timeout": "20s",
    # Who is frozen in the midst of a transaction must not hold up the others for longer than a lease lasts.
    "idle_in_transaction_session_timeout": "3s",
}
"""PostgreSQL's own settings of each session."""


def parse(url: str) -> dict[str, Any]:
    """PostgreSQL: psycopg's pool, shared by a process's threads. SQLite: one lasting connection for each thread."""
    found: dict[str, Any] = dict(dj_database_url.parse(url))
    if found["ENGINE"].endswith("postgresql"):
        limits = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
        options = {"pool": POOL, "application_name": "scheduler", "options": limits, **TCP, **found.get("OPTIONS", {})}
        engine = {"ENGINE": "scheduler_project.postgresql", "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
        return found | engine | {"OPTIONS": options}
    # Immediate transactions: a writer waits its turn at BEGIN, and never fails half-way with "database is locked".
    # synchronous=FULL: what the API has accepted survives a power cut.
    options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    return found | {"CONN_MAX_AGE": 600, "OPTIONS": options}
