"""What needs the scheduler's own models, in a process of its own: `python -m benchmarks.orm prepare|cron|…`."""

import json
import sys
import time
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - only after setup

from access_app.models import Namespace  # noqa: E402 - only after setup
from benchmarks.timings import all_timings  # noqa: E402
from scheduler_project.standalone import first_start  # noqa: E402
from tasks_app.clock import database_now  # noqa: E402
from tasks_app.models import Task, default_namespace  # noqa: E402


def prepare() -> None:
    """Make the tables and an administrator; print his API key."""
    call_command("migrate", verbosity=0)
    first_start.administrator()
    print(first_start.api_key())


def cron(number: str, schedule: str, what: str) -> None:
    """Make so many tasks with one schedule: what `actions.save` does for one, in one statement for all."""
    if (left := 10 - time.time() % 10) < 2:  # no fire is to find only some of them
        time.sleep(left)
    now, namespace = database_now(), default_namespace()
    tasks = [
        Task(name=f"cron {i}", namespace_id=namespace, schedule=schedule, **json.loads(what))
        for i in range(int(number))
    ]
    tasks[0].full_clean()
    for task in tasks:
        task.plan_next(now)
    Task.objects.bulk_create(tasks)  # without a hint: a dispatcher looks every second


def namespace(name: str) -> None:
    """Make one."""
    Namespace.objects.get_or_create(name=name)


def pause() -> None:
    """Let nothing fire any more."""
    Task.objects.exclude(schedule="").update(status=Task.Status.PAUSED, next_fire_at=None)


def timings(seconds: str) -> None:
    """Time schedules; print what they cost."""
    print(json.dumps(all_timings(float(seconds))))


ACTIONS: dict[str, Callable[..., None]] = {
    "prepare": prepare,
    "cron": cron,
    "namespace": namespace,
    "pause": pause,
    "timings": timings,
}

if __name__ == "__main__":
    ACTIONS[sys.argv[1]](*sys.argv[2:])
