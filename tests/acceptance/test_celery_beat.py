"""Rows of django-celery-beat, dispatchers that are killed again and again, and a Celery worker of another project."""

import subprocess
import sys
import time
from collections import Counter
from uuid import uuid4

import psycopg
import pytest

from tests.acceptance.harness import CELERY, ROOT, Stack, postgresql_database
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

DISPATCHERS, ROWS, KILLS = 3, 10, 8
QUEUE = f"shop-{uuid4()}"
MAKE = f"""
import django; django.setup()
import json
from django_celery_beat.models import IntervalSchedule, PeriodicTask
second = IntervalSchedule.objects.create(every=1, period="seconds")
for number in range({ROWS}):
    row = f"row-{{number}}"
    PeriodicTask.objects.create(name=row, task="shop.tick", interval=second, args=json.dumps([row]), queue="{QUEUE}")
"""


def test_each_row_fires_once_whoever_is_killed(make_stack, postgresql, redis_server, tmp_path):
    ledger = tmp_path / "shop.ledger"
    ledger.touch()
    stack: Stack = make_stack(
        database=postgresql_database(postgresql.url),
        broker_url=redis_server.url,
        CELERY_BEAT_BROKER_URL=redis_server.url.rpartition("/")[0] + "/7",
    )
    environment = stack.environment
    shop = {
        "PATH": environment["PATH"],
        "SHOP_BROKER": environment["CELERY_BEAT_BROKER_URL"],
        "SHOP_LEDGER": str(ledger),
    }
    argv = [
        *CELERY,
        "-A",
        "tests.acceptance.shop",
        "worker",
        "--queues",
        QUEUE,
        "--pool",
        "solo",
        "--loglevel",
        "INFO",
    ]
    stack.start("shop", argv, shop)
    dispatchers = [stack.dispatcher(f"dispatcher-{number}") for number in range(DISPATCHERS)]
    subprocess.run([sys.executable, "-c", MAKE], env=stack.environment, cwd=ROOT, check=True)
    made = time.monotonic()
    wait_until(lambda: len(set(rows(ledger.read_text()))) == ROWS, 30, "every row has fired")

    for kill in range(KILLS):
        seen = len(ledger.read_text().splitlines())
        dispatchers[kill % DISPATCHERS].kill()
        dispatchers[kill % DISPATCHERS] = stack.dispatcher(f"dispatcher-{DISPATCHERS + kill}")
        wait_until(lambda: len(ledger.read_text().splitlines()) >= seen + ROWS, 30, "it goes on")  # noqa: B023

    database = stack.environment["DATABASE_URL"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE django_celery_beat_periodictask SET enabled = FALSE, date_changed = clock_timestamp()"
        )
        connection.execute("UPDATE django_celery_beat_periodictasks SET last_update = clock_timestamp()")
        elapsed = time.monotonic() - made
        waiting = "SELECT count(*) FROM tasks_app_periodicmessage"
        wait_until(lambda: connection.execute(waiting).fetchone() == (0,), 10, "all is sent")
        decided = dict(
            connection.execute("SELECT name, total_run_count FROM django_celery_beat_periodictask").fetchall()
        )
    wait_until(lambda: len(set(ids(ledger.read_text()))) == sum(decided.values()), 10, "all has arrived")

    text = ledger.read_text()
    assert {row: len(set(ids(text, row))) for row in decided} == decided, "none is lost, none is decided twice"
    again = [task for task, times in Counter(ids(text)).items() if times > 1]
    assert len(again) <= KILLS, "only what was just being sent comes again, with its id"
    assert all(number <= elapsed + 1 for number in decided.values()), "none comes sooner than it should"


def rows(ledger: str) -> list[str]:
    return [line.split()[0] for line in ledger.splitlines()]


def ids(ledger: str, row: str = "") -> list[str]:
    return [line.split()[1] for line in ledger.splitlines() if not row or line.startswith(f"{row} ")]
