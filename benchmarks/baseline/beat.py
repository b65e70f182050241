"""django-celery-beat alone: how many of its tasks it sends in a second as long as more are due.

`python -m benchmarks.baseline.beat 1000` makes so many tasks, each due every second, in its database.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from benchmarks import cpu, servers
from benchmarks.database import PostgreSQL
from benchmarks.stack import CELERY, KEPT, end, wait_until
from scheduler_project.standalone.parts import Part

QUEUE = "scheduler_bench_beat"


def measure(tasks: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Without workers: what it has sent waits in Redis, and is counted there. Raises `servers.Missing`."""
    broker = servers.Broker("redis-lists", QUEUE, servers.REDIS_DATABASE + 3)
    broker.open(folder)
    database = PostgreSQL("beat")
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "DJANGO_SETTINGS_MODULE": "benchmarks.baseline.settings",
        "DATABASE_URL": database.url,
        "BROKER_URL": broker.url,
        "QUEUE": QUEUE,
        "TUNED": "1",
    }
    argv = [CELERY, "-A", "benchmarks.baseline.app", "beat", "--loglevel", "WARNING"]
    part = Part("beat", argv, environment, folder / "beat.log")
    try:
        for module in (["django", "migrate", "--verbosity", "0"], ["benchmarks.baseline.beat", str(tasks)]):
            done = [sys.executable, "-m", *module]
            subprocess.run(done, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed
        part.start()
        return _sent(part, database, broker, seconds) | {"tasks": tasks}
    finally:
        end([part], seconds=3)
        database.close()
        broker.close()


def _sent(part: Part, database: PostgreSQL, broker: servers.Broker, seconds: float) -> dict[str, Any]:
    assert part.process
    queue = redis.Redis.from_url(f"redis://{urlsplit(broker.url).netloc}/{broker.database}")
    wait_until(lambda: queue.llen(QUEUE), 120, "beat has sent its first task")
    pids = {"beat": part.process.pid} | ({"database": database.pid} if database.pid else {})
    number, begun = int(queue.llen(QUEUE)), time.monotonic()  # type: ignore[arg-type, unused-ignore]
    before = {name: cpu.tree(pid).total for name, pid in pids.items()}
    time.sleep(seconds)
    sent, took = int(queue.llen(QUEUE)) - number, time.monotonic() - begun  # type: ignore[arg-type, unused-ignore]
    used = {name: round((cpu.tree(pid).total - before[name]) / max(1, sent) * 1000, 3) for name, pid in pids.items()}
    return {"seconds": round(took, 1), "per_second": round(sent / took, 1), "cpu_ms_per_fire": used}


def make(number: int) -> None:
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks  # noqa: PLC0415 - after setup

    second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    task = "benchmarks.baseline.app.shell"
    PeriodicTask.objects.bulk_create(
        PeriodicTask(name=f"task {n}", task=task, args='["true"]', interval=second) for n in range(number)
    )
    PeriodicTasks.update_changed()


if __name__ == "__main__":
    import django

    django.setup()
    make(int(sys.argv[1]))
