"""A connection that waits for no answer for ever.

A server that stands still, or a proxy that has forgotten us, may still acknowledge what it is sent: TCP's own timeouts
do not end that wait, and the server's limits do not reach us.
"""

from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

T = TypeVar("T")

CHECK_SECONDS = 2.0
"""A sign of life takes no longer."""
SPARE_SECONDS = 1.0
"""For the server to say that a statement took too long."""


class Connection(psycopg.Connection[Any]):
    """Raises `OperationalError`, and is closed, where the server has not answered for `patience` seconds."""

    patience: float | None = None
    """None: it may take any time, as statements of migrations may."""

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """With as much patience as the server has with a statement (`statement_timeout`)."""
        connection = super().connect(*args, **kwargs)
        row = connection.execute("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'").fetchone()
        connection.rollback()
        milliseconds = row[0] if row else 0
        connection.patience = milliseconds / 1000 + SPARE_SECONDS if milliseconds else None
        return connection

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            # Not an answer, but that none came: what comes later would be taken for that to another question.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise

    def execute(self, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """How the pool asks for a sign of life. (Django executes through cursors.)"""
        patience, self.patience = self.patience, CHECK_SECONDS
        try:
            return super().execute(*args, **kwargs)
        finally:
            self.patience = patience
