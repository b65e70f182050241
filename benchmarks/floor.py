"""The machine's own floor: what starting a process and committing a row cost without any scheduler."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import figures, spawn


def measure(seconds: float, folder: Path, postgresql: str) -> dict[str, float]:
    """One round of everything; `postgresql` is a server's address, or empty."""
    cores = len(os.sched_getaffinity(0))
    found: dict[str, float] = {}
    for way in spawn.WAYS:
        for processes in dict.fromkeys((1, cores)):
            rate, cost = _spawning(way, processes, seconds)
            found[f"{way}_per_second_{processes}_process" + "es" * (processes > 1)] = rate
            found[f"{way}_cpu_ms"] = cost
    found["fork_exec_per_second"] = max(found[key] for key in found if "_per_second_" in key)
    found["sqlite_commits_per_second"] = _sqlite_commits(seconds, folder)
    if postgresql:
        found["postgresql_commits_per_second"] = _postgresql_commits(seconds, postgresql)
    return found


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    return figures.figures(rounds, 2)


def _spawning(way: str, processes: int, seconds: float) -> tuple[float, float]:
    """Rate of all together, and CPU ms of one spawn with its command."""
    argv = [sys.executable, "-m", "benchmarks.spawn", way, str(seconds)]
    started = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(processes)]  # noqa: S603
    answers = [json.loads(each.communicate()[0]) for each in started]
    number = sum(answer["number"] for answer in answers)
    rate = sum(answer["number"] / answer["seconds"] for answer in answers)
    return rate, sum(answer["cpu"] for answer in answers) / number * 1000


def _sqlite_commits(seconds: float, folder: Path) -> float:
    """One row a transaction, as durable as our settings have it."""
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        connection = sqlite3.connect(Path(inner) / "floor.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE floor (number INTEGER)")
        rate = _repeated(lambda: connection.execute("INSERT INTO floor VALUES (1)"), seconds)
        connection.close()
    return rate


def _postgresql_commits(seconds: float, url: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS scheduler_bench_floor")
        connection.execute("CREATE TABLE scheduler_bench_floor (number INTEGER)")
        try:
            return _repeated(lambda: connection.execute("INSERT INTO scheduler_bench_floor VALUES (1)"), seconds)
        finally:
            connection.execute("DROP TABLE scheduler_bench_floor")


def _repeated(action: Callable[[], Any], seconds: float) -> float:
    number, begun = 0, time.monotonic()
    while time.monotonic() < begun + seconds:
        action()
        number += 1
    return number / (time.monotonic() - begun)
