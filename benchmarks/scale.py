"""Many tasks in the database, some of them due each second: how late each becomes a run, and what that takes.

A run is *made* when its row is inserted, by the database's own clock (`clock_timestamp()`): `created_at` is when the
dispatcher's turn began, which would leave out the time that it took. The workers run each of them, so that all that
goes with a fire goes on: assignments, reports, and the rows that these change.
"""

import time
from collections.abc import Callable
from typing import Any

from benchmarks import cpu, figures
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack, wait_until

DUE = "SELECT id FROM tasks_app_task WHERE status = 'active' AND deleted_at IS NULL AND next_fire_at <= %s LIMIT 1"
MADE = """
    SELECT extract(epoch FROM made_at - scheduled_for), extract(epoch FROM started_at - scheduled_for)
    FROM tasks_app_taskrun WHERE scheduled_for >= to_timestamp(%s) AND scheduled_for < to_timestamp(%s)
"""
COLUMN = "ALTER TABLE tasks_app_taskrun ADD COLUMN IF NOT EXISTS made_at timestamptz DEFAULT clock_timestamp()"


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """Raises `servers.Missing` where the database is not PostgreSQL."""
    stack.workers(size.workers)
    # A task is due once an hour; where there are too few for that, once a minute.
    period = 3600 if size.scale_tasks >= 60 * size.due_per_minute else 60
    due = size.due_per_minute * period // 60
    begun = time.monotonic()
    _make(stack, size.scale_tasks, due, period)
    tell(f"{size.scale_tasks:,} tasks are in the database after {time.monotonic() - begun:.0f} s")
    wait_until(lambda: not _overdue(stack), 600, "what came due meanwhile has fired", 0.5)
    first, before = int(time.time()) + 2, stack.cpu()
    last = first + size.scale_seconds
    time.sleep(last + 1 - time.time())
    wait_until(lambda: not _overdue(stack), 60, "what was due has fired", 0.5)
    after = stack.cpu()
    rows = stack.database.rows(MADE, first, last)
    expected = sum(due // period + (second % period < due % period) for second in range(first, last))
    if len(rows) != expected:
        raise Failed(f"scale: {expected:,} were due, and {len(rows):,} runs were made")
    lag = figures.lags([float(made) for made, _ in rows])
    memory = cpu.memory_mb(stack.pids()["dispatcher"])
    tell(f"{len(rows):,} fires: p99 {lag['p99']:.0f} ms; the dispatcher has {memory['pss']:.0f} MB")
    return {
        "tasks": size.scale_tasks,
        "due_per_minute": size.due_per_minute,
        "seconds": size.scale_seconds,
        "lag_ms": figures.figures([lag], 1),
        "start_ms": figures.figures([figures.lags([float(started) for _, started in rows if started])], 1),
        "dispatcher_pss_mb": memory["pss"],
        "dispatcher_rss_mb": memory["rss"],
        "cpu_ms_per_run": {name: round((after[name] - before[name]) / len(rows) * 1000, 3) for name in after},
    }


def _make(stack: Stack, tasks: int, due: int, period: int) -> None:
    """The first `due` tasks spread over the seconds of a period, the others due at New Year."""
    now = time.time()
    place = f"n % {period}"
    start = now // period * period
    at = f"{start} + {place} + CASE WHEN {start} + {place} <= {now} THEN {period} ELSE 0 END"
    minute = f"({place}) / 60" if period > 60 else "'*'"
    stack.database.execute(COLUMN)
    stack.database.copies(
        stack.api.task("scale", "shell", "true"),
        tasks,
        {
            "name": "name || ' ' || n",
            "schedule": f"CASE WHEN n < {due} THEN concat(n % 60, ' ', {minute}, ' * * * *') ELSE '0 0 1 1 *' END",
            "next_fire_at": f"CASE WHEN n < {due} THEN to_timestamp({at}) "
            "ELSE date_trunc('year', now(), 'UTC') + interval '1 year' END",
        },
    )


def _overdue(stack: Stack) -> bool:
    """Is there anything that should have fired a second ago?"""
    return bool(stack.database.rows(DUE.replace("%s", "now() - interval '1 second'")))
