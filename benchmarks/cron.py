"""How late schedules fire: 1,000 tasks due in the same second, nominal time → process started."""

import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks import figures
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack, wait_until
from benchmarks.stamp import Stamp

SCHEDULE = "*/10 * * * * *"
PERIOD = 10


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """The first fire warms up."""
    # Slots for all that are due at once: what is measured is the scheduler, not a limit that was set.
    stack.workers(size.workers, max_tasks=size.cron_tasks)
    stamp = Stamp(stack.folder)
    stamp.forget()
    stack.helper("cron", str(size.cron_tasks), SCHEDULE, json.dumps(stamp.task))
    try:
        first = _warm_up(stack, stamp, size.cron_tasks)
        before = stack.cpu()
        _await_starts(stack, stamp, size.cron_fires * size.cron_tasks, (size.cron_fires + 2) * PERIOD)
        after = stack.cpu()
    finally:
        stack.helper("pause")
    fires = [_lags(stamp, first + number * PERIOD, size.cron_tasks) for number in range(size.cron_fires)]
    tell(f"{len(fires)} fires of {size.cron_tasks:,}: " + ", ".join(f"p99 {fire['p99']:.0f} ms" for fire in fires))
    runs = size.cron_tasks * size.cron_fires
    return {
        "tasks": size.cron_tasks,
        "schedule": SCHEDULE,
        "started_is_told_by": stamp.method,
        "cron_lag_ms": figures.figures(fires, 1),
        "cpu_ms_per_run": {name: round((after[name] - before[name]) / runs * 1000, 3) for name in after},
    }


def _warm_up(stack: Stack, stamp: Stamp, tasks: int) -> float:
    """Let the tasks fire once; return when they fire next."""
    first = (time.time() // PERIOD + 1) * PERIOD
    time.sleep(first - time.time())
    _await_starts(stack, stamp, tasks, 3 * PERIOD)
    if time.time() >= first + PERIOD:
        raise Failed(f"cron: one fire of {tasks:,} tasks takes longer than {PERIOD} s")
    stamp.forget()
    return first + PERIOD


def _await_starts(stack: Stack, stamp: Stamp, runs: int, seconds: float) -> None:
    wait_until(lambda: stamp.count() >= runs, seconds, f"{runs:,} processes have started", 0.1)
    stack.await_idle(PERIOD)


def _lags(stamp: Stamp, nominal: float, tasks: int) -> dict[str, float]:
    """Of one fire; raises `Failed` where it is not complete."""
    lags = [start.at - start.nominal for start in stamp.starts() if start.nominal == nominal]
    if len(lags) != tasks:
        raise Failed(f"cron: of {tasks} runs due at {nominal:.0f}, {len(lags)} have started")
    return figures.lags(lags)
