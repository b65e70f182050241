"""A fresh database for a stack, and the questions a measure asks it.

The end of a measure is looked for with one short query here and not over the API: that costs the database 0.1 ms
and the web process nothing, so it is not part of what is measured.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks import cpu, servers

OPEN = "SELECT id FROM tasks_app_taskrun WHERE status IN ('pending', 'assigned', 'running') LIMIT 1"
OUTCOMES = "SELECT status, attempt, exit_code, count(*) FROM tasks_app_taskrun WHERE task_id = %s GROUP BY 1, 2, 3"


class Database:
    """What both kinds have in common."""

    url: str
    pid: int | None = None
    """Of the server, if there is one."""

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def execute(self, statement: str) -> None:
        """Raises `servers.Missing` where it takes a PostgreSQL to do what only benchmarks do."""
        raise servers.Missing("this is measured on PostgreSQL only")

    def copies(self, task: int, number: int, values: dict[str, str]) -> None:
        """Make so many copies of a task; `values` are the columns in which they differ, as SQL with `n` from 0 on.

        Raises `servers.Missing` where `execute` does.
        """
        found = self.rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'tasks_app_task'")
        columns = [name for (name,) in found if name != "id"]
        told = ", ".join(values.get(name, f'"{name}"') for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        self.execute(
            f"INSERT INTO tasks_app_task ({names}) SELECT {told} "  # noqa: S608 - our own names
            f"FROM tasks_app_task, generate_series(0, {number - 1}) AS n WHERE id = {task}"
        )
        self.execute("VACUUM ANALYZE tasks_app_task")

    def idle(self) -> bool:
        """True when every run has ended."""
        return not self.rows(OPEN)

    def outcomes(self, task: int) -> dict[tuple[str, int, int], int]:
        """(status, attempt, exit code) → how many runs of the task ended so."""
        return {(status, attempt, code): number for status, attempt, code, number in self.rows(OUTCOMES, task)}


class PostgreSQL(Database):
    """A database of our own on the server; one that an earlier benchmark has left is replaced."""

    def __init__(self, name: str) -> None:
        self._server = servers.address("postgresql")
        self._name = f"scheduler_bench_{name}"
        self._on_server("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._on_server("CREATE DATABASE {}")
        self.url = urlunsplit(urlsplit(self._server)._replace(path=f"/{self._name}"))
        self._connection = psycopg.connect(self.url, autocommit=True)
        self.pid = self._postmaster()

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(question, values).fetchall()

    def execute(self, statement: str) -> None:
        self._connection.execute(statement)

    def close(self) -> None:
        self._connection.close()
        self._on_server("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def _on_server(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL(statement).format(psycopg.sql.Identifier(self._name)))

    def _postmaster(self) -> int | None:
        """The parent of our connection's backend, if the server is on this machine."""
        backend = int(self.rows("SELECT pg_backend_pid()")[0][0])
        return cpu.parent(backend) if cpu.name(backend).startswith("postgres") else None


class SQLite(Database):
    """A file; asked over a connection for each question, so that no reader holds back a checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "db.sqlite3"
        self.url = f"sqlite:///{self._path}"

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            return connection.execute(question.replace("%s", "?"), values).fetchall()

    def close(self) -> None:
        """The folder is removed with all that is in it."""


def fresh(kind: str, folder: Path) -> Database:
    """Raises `servers.Missing`."""
    return PostgreSQL("ours") if kind == "postgresql" else SQLite(folder)
