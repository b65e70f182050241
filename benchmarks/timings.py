"""What schedules cost, timed in a process of its own on one core: CPU time, no database.

Next fires one after the other, as a dispatcher asks for them; single ones with nothing remembered of their zone; and
what is to be done after an outage, which is also checked against the rule.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks import expressions
from tasks_app.due import ROWS, Due, due
from tasks_app.models import Task
from tasks_app.models.task import MOST_CATCH_UP
from tasks_app.schedule import Spec, read, reading
from tasks_app.schedule.zone import _of_year

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "1/benchmark"
AFTER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2000, 2, 28, tzinfo=UTC), NOW, datetime(2096, 2, 29, tzinfo=UTC))
"""Single fires are looked for after each of these: a preview may ask for any."""
SERIES = 200
"""Fires in a row of one schedule: as many of each kind, whatever it costs."""
MINUTE = timedelta(minutes=1)
OUTAGES = {"101 minutes": timedelta(minutes=101), "400 days": timedelta(days=400)}


def all_timings(seconds: float) -> dict[str, Any]:
    return {"next_fires_per_second": rate(seconds), "single": single(), "outages": outages()}


def rate(seconds: float) -> float:
    """Next fires in a second of CPU, all usual schedules in turn."""
    plans = [read((spec,), KEY) for spec in expressions.USUAL]
    number, begun = 0, time.process_time()
    moments = dict.fromkeys(range(len(plans)), NOW)
    while time.process_time() < begun + seconds:
        for place, plan in enumerate(plans):
            at = moments[place]
            for _ in range(SERIES):
                at = plan.next_after(at) or NOW
            moments[place] = at if at.year < NOW.year + 30 else NOW
            number += SERIES
    return round(number / (time.process_time() - begun))


def single() -> dict[str, dict[str, float]]:
    """What makes it hard → ms to read the schedules, and ms of the longest next fire."""
    return {name: _single(specs) for name, specs in expressions.HOSTILE.items()}


def _single(specs: tuple[Spec, ...]) -> dict[str, float]:
    def fresh() -> Any:
        reading._read.cache_clear()
        _of_year.cache_clear()
        return read(specs, KEY)

    def first(after: datetime) -> float:
        plan = fresh()
        _of_year.cache_clear()
        return _ms(lambda: plan.next_after(after))

    # The best of three: what else the machine does is no part of it.
    return {
        "read_ms": round(min(_ms(fresh) for _ in range(3)), 2),
        "next_ms": round(max(min(first(after) for _ in range(3)) for after in AFTER), 2),
    }


def outages() -> dict[str, float]:
    """Outage and policy → ms to find out what is to be done for a minutely task; raises `AssertionError`."""
    found = {}
    for name, outage in OUTAGES.items():
        for policy in ("none", "last", "all"):
            task = Task(name="t", namespace_id=1, schedule="* * * * *", next_fire_at=NOW - outage)
            task.after_outage, task.catch_up_runs = policy, MOST_CATCH_UP
            now = NOW - MINUTE / 2
            check(due(task, now), task, now, policy)
            found[f"{name}, {policy}"] = round(min(_ms(lambda task=task, now=now: due(task, now)) for _ in range(3)), 2)
    return found


def check(what: Due, task: Task, now: datetime, policy: str) -> None:
    """Every minute is accounted for, as the policy says."""
    assert task.next_fire_at
    times = [task.next_fire_at + n * MINUTE for n in range((now - task.next_fire_at) // MINUTE + 1)]
    late, fresh = [at for at in times if now - at > MINUTE], [at for at in times if now - at <= MINUTE]
    wanted = {"none": [], "last": [] if fresh else late[-1:], "all": late[-MOST_CATCH_UP:]}[policy]
    left = late[: len(late) - len(wanted)]
    assert what.run == wanted + fresh
    assert what.skip == [(at, "missed", "") for at in left[-ROWS:]]
    assert what.shared == ([(times[0], left[-ROWS], "missed")] if len(left) > ROWS else [])
    assert what.next == times[-1] + MINUTE


def _ms(action: Callable[[], Any]) -> float:
    begun = time.process_time()
    action()
    return (time.process_time() - begun) * 1000
