"""How many tasks fire in a second as long as more are due, beside django-celery-beat in the same run.

There are no workers on either side: beat only sends what workers are to run, and our dispatcher makes the runs that
workers are to get. So the rate is that of firing alone: finding what is due, planning it anew, and storing the runs.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks import scale
from benchmarks.baseline import beat
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack, wait_until

MADE = "SELECT count(*), extract(epoch FROM max(made_at)) FROM tasks_app_taskrun WHERE scheduled_for = %s"


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """One dispatcher, all tasks due in the same second. Raises `servers.Missing`."""
    stack.workers(0)
    try:
        ours = _ours(stack, size.fires_tasks)
    finally:
        stack.database.execute("TRUNCATE tasks_app_task CASCADE")  # nobody is to run them
    tell(f"{ours['per_second']:,.0f} fires a second")
    theirs = beat.measure(size.beat_tasks, size.beat_seconds, stack.folder)
    tell(f"django-celery-beat: {theirs['per_second']:,.0f} fires a second")
    return {
        **ours,
        "beat": theirs,
        "times_faster": round(ours["per_second"] / theirs["per_second"], 1),
        "times_less_cpu": round(_total(theirs) / _total(ours), 1),
    }


def _ours(stack: Stack, tasks: int) -> dict[str, Any]:
    stack.database.execute(scale.COLUMN)
    template = stack.api.task("fires", "shell", "true")
    nominal = int(time.time()) + 3 + tasks // 5_000
    at = datetime.fromtimestamp(nominal, UTC)
    values = {
        "name": "name || ' ' || n",
        "schedule": f"'{at.second} {at.minute} {at.hour} * * *'",
        "next_fire_at": f"to_timestamp({nominal})",
    }
    stack.database.copies(template, tasks, values)
    if time.time() > nominal - 0.5:
        raise Failed(f"fires: {tasks:,} tasks could not be made in time")
    time.sleep(nominal - time.time())
    before = stack.cpu()
    wait_until(lambda: not stack.database.rows(scale.DUE, at), 60 + tasks / 200, f"{tasks:,} tasks have fired", 0.2)
    after = stack.cpu()
    ((number, last),) = stack.database.rows(MADE, at)
    if number != tasks:
        raise Failed(f"fires: {tasks:,} were due, and {number:,} runs were made")
    seconds = float(last) - nominal
    used = {name: round((after[name] - before[name]) / tasks * 1000, 3) for name in ("dispatcher", "database")}
    return {"tasks": tasks, "seconds": round(seconds, 1), "per_second": round(tasks / seconds), "cpu_ms_per_fire": used}


def _total(found: dict[str, Any]) -> float:
    return float(sum(found["cpu_ms_per_fire"].values()))
