"""Runs that wait: what they cost those that do not, how soon they go on, and that no limit is passed.

Starts are told by the commands themselves (`benchmarks.stamp`); waiting runs are written into the database by one
statement, as they would take minutes to trigger.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from benchmarks import figures
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack, wait_until
from benchmarks.stamp import Stamp

PROBES = 20
"""Runs that are triggered one after the other, to see how soon each starts."""
LAYERS = 10
FLOW_RUNS = 5
"""Of each of the flows of which children's starts are timed."""
CHILD_RATE = 5_000
"""Runs a minute."""
RATE = 100
"""Starts a second."""
DISPATCHERS = 3

PENDING = """
    INSERT INTO tasks_app_taskrun (id, task_id, attempt, status, reason, origin, priority, placement, params,
        scheduled_for, available_at, error, failures, losses)
    SELECT gen_random_uuid(), task_id, 1, 'pending', '', 'manual', priority, placement, '{{}}', now(), now(), '', 0, 0
    FROM tasks_app_taskrun, generate_series(1, {number}) WHERE id = '{like}'
"""
READY = "SELECT 1 FROM tasks_app_taskrun WHERE status = 'pending' AND gate = '' AND task_id = %s LIMIT 1"


def blocked(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """A ready run behind many that a mutex, or a pause, holds up. Raises `servers.Missing` but on PostgreSQL."""
    stack.workers(size.workers)
    stamp = Stamp(stack.folder)
    probe = _task(stack, "probe", **stamp.task)
    found: dict[str, Any] = {"waiting": size.waiting_runs}
    for name, fields in {"mutex": {"mutex": "held"}, "pause": {}}.items():
        task = _task(stack, f"blocked by {name}", command="sleep 600", priority=50, **fields)
        first = stack.api.call("POST", f"tasks/{task}/run/", {})["id"]
        wait_until(lambda run=first: _status(stack, run) == "running", 20, "the first runs")
        if name == "pause":
            stack.api.call("POST", f"tasks/{task}/pause/", {})
        stack.database.execute(PENDING.format(number=size.waiting_runs, like=first))
        begun = time.monotonic()
        stack.api.call("POST", f"tasks/{probe}/run/", {})
        wait_until(lambda task=task: not stack.database.rows(READY, task), 120, "all wait at their gate")
        found[f"{name}_parked_s"] = round(time.monotonic() - begun, 1)
        stack.database.execute("VACUUM ANALYZE tasks_app_taskrun")
        found[f"{name}_ms"] = _probe(stack, stamp, probe)
        told = f"{found[f'{name}_ms']}, all parked in {found[f'{name}_parked_s']} s"
        tell(f"behind {size.waiting_runs:,} held by {name}: {told}")
        _forget(stack, task)
    found["worst_ms"] = max(found[f"{name}_ms"]["max"] for name in ("mutex", "pause"))
    return found


def tenants(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """One namespace has many ready runs, another triggers one at a time."""
    stack.workers(size.workers)
    stamp = Stamp(stack.folder)
    stack.helper("namespace", "small")
    busy, probe = _task(stack, "busy", command="true"), _task(stack, "modest", namespace="small", **stamp.task)
    first = stack.api.call("POST", f"tasks/{busy}/run/", {})["id"]
    wait_until(lambda: _status(stack, first) == "succeeded", 20, "the first has run")
    stack.database.execute(PENDING.format(number=size.waiting_runs, like=first))
    stack.database.execute("VACUUM ANALYZE tasks_app_taskrun")
    lags = _probe(stack, stamp, probe)
    left = stack.database.rows("SELECT count(*) FROM tasks_app_taskrun WHERE status = 'pending' AND task_id = %s", busy)
    tell(f"beside {size.waiting_runs:,} of another namespace: {lags}; {left[0][0]:,} are left")
    _forget(stack, busy)
    return {"waiting": size.waiting_runs, "ms": lags, "left": left[0][0]}


def flow(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """A flow of many tasks that do nothing, in layers, each with two parents in the layer before."""
    stack.workers(size.workers)
    width = (size.flow_tasks - 1) // (LAYERS - 1)
    layers = [[_task(stack, "flow 0 0", command="true")]]
    for layer in range(1, LAYERS):
        above = len(layers[-1])
        parents = [[f"flow {layer - 1} {(n + k) % above}" for k in range(min(2, above))] for n in range(width)]
        layers.append(
            [_task(stack, f"flow {layer} {n}", command="true", depends_on=each) for n, each in enumerate(parents)]
        )
    seconds = []
    for _ in range(3):
        begun = time.monotonic()
        made = stack.api.call("POST", f"tasks/{layers[0][0]}/run/", {})["flow"]
        triggered = time.monotonic() - begun
        wait_until(lambda made=made: _flow(stack, made)[0] != "running", 120, "the flow is over", 0.02)
        status, took = _flow(stack, made)
        if status != "succeeded":
            raise Failed(f"flow: it is {status}")
        seconds.append(took)
        tell(f"flow of {sum(map(len, layers)):,} tasks: triggered in {triggered:.2f} s, over after {took:.2f} s")
    return {"tasks": sum(map(len, layers)), "layers": LAYERS, "seconds": round(statistics.median(seconds), 2)}


def children(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """How soon a child starts after its last parent, which ends as it has started; in many small flows."""
    stack.workers(size.workers)
    stamp = Stamp(stack.folder)
    first = _task(stack, "child a", **stamp.task)
    shape = {"child b": ["child a"], "child c": ["child a"], "child d": ["child b", "child c"], "child e": ["child d"]}
    for name, parents in shape.items():
        _task(stack, name, depends_on=parents, **stamp.task)
    stamp.forget()
    rate = CHILD_RATE / 60 / FLOW_RUNS
    begun, sent = time.monotonic(), 0
    while (now := time.monotonic() - begun) < size.child_seconds:
        if sent < now * rate:
            stack.api.call("POST", f"tasks/{first}/run/", {})
            sent += 1
        else:
            time.sleep(0.002)
    stack.await_idle(60)
    wait_until(lambda: stamp.count() == sent * FLOW_RUNS, 30, "all have started")
    at = {start.run: start.at for start in stamp.starts()}
    steps: dict[str, dict[str, float]] = defaultdict(dict)
    asked = "SELECT run.id, flow_id, name FROM tasks_app_taskrun run JOIN tasks_app_task task ON task.id = task_id "
    for run, its_flow, name in stack.database.rows(asked + "WHERE flow_id IS NOT NULL AND name LIKE 'child _'"):
        steps[str(its_flow)][name] = at[str(run)]
    lags = [
        found[name] - max(found[parent] for parent in parents)
        for found in steps.values()
        for name, parents in shape.items()
    ]
    told = figures.lags(lags)
    tell(f"{len(lags):,} children: p99 {told['p99']:.0f} ms after their last parent")
    return {"runs_per_minute": CHILD_RATE, "flows": sent, "lag_ms": figures.figures([told], 1)}


def fan_out(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """One run over many items, and a join."""
    stack.workers(size.workers)
    spread = _task(stack, "spread", command="true", fan_out=f"range({size.fan_out_items})")
    join = _task(stack, "join", command="true", depends_on=["spread"])
    made = stack.api.call("POST", f"tasks/{spread}/run/", {})["flow"]
    wait_until(lambda: _flow(stack, made)[0] != "running", 600, "the fan-out is over", 0.1)
    status, took = _flow(stack, made)
    counts = dict(
        stack.database.rows("SELECT status, count(*) FROM tasks_app_taskrun WHERE item IS NOT NULL GROUP BY 1")
    )
    joins = stack.database.rows("SELECT status FROM tasks_app_taskrun WHERE task_id = %s", join)
    if (status, counts, joins) != ("succeeded", {"succeeded": size.fan_out_items}, [("succeeded",)]):
        raise Failed(f"fan_out: {status}, {counts}, {joins}")
    tell(f"{size.fan_out_items:,} items and a join in {took:.1f} s")
    return {"items": size.fan_out_items, "seconds": round(took, 1)}


def rate(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """More runs than a rate lets start, and several dispatchers that give them out."""
    stack.workers(size.workers)
    stamp = Stamp(stack.folder)
    task = _task(stack, "rated", rate_count=RATE, rate_seconds=1, **stamp.task)
    stack.dispatchers(DISPATCHERS)
    try:
        time.sleep(5)  # until they take part
        stamp.forget()
        stack.api.trigger(task, RATE * size.rate_seconds)
        wait_until(lambda: stamp.count() >= RATE * size.rate_seconds, 10 + 3 * size.rate_seconds, "all have started")
    finally:
        stack.dispatchers(1)
    starts = sorted(start.at for start in stamp.starts())
    most = max(sum(1 for at in starts[n : n + 2 * RATE] if at < first + 1) for n, first in enumerate(starts))
    reached = (len(starts) - 1) / (starts[-1] - starts[0])
    tell(f"{len(starts):,} starts at {reached:.1f} a second, {most} at most in any second")
    return {"dispatchers": DISPATCHERS, "per_second": round(reached, 1), "most_in_a_second": most}


def _task(stack: Stack, name: str, **fields: Any) -> int:
    known = {"name": name, "executor": "shell", "config": {}}
    return int(stack.api.call("POST", "tasks/", known | fields)["id"])


def _status(stack: Stack, run: str) -> str:
    return str(stack.database.rows("SELECT status FROM tasks_app_taskrun WHERE id = %s", run)[0][0])


def _flow(stack: Stack, flow: str) -> tuple[str, float]:
    """Its status, and the seconds it took."""
    asked = "SELECT status, extract(epoch FROM completed_at - created_at) FROM tasks_app_flowrun WHERE id = %s"
    status, took = stack.database.rows(asked, flow)[0]
    return status, float(took or 0)


def _probe(stack: Stack, stamp: Stamp, task: int) -> dict[str, float]:
    """How long after its request was answered each run started, in ms."""
    stamp.forget()
    accepted = {}
    for number in range(1, PROBES + 1):
        run = stack.api.call("POST", f"tasks/{task}/run/", {"params": {"probe": str(uuid4())}})["id"]
        accepted[run] = time.time()
        wait_until(lambda number=number: stamp.count() >= number, 30, "the run has started", 0.005)
        time.sleep(0.2)
    lags = sorted((start.at - accepted[start.run]) * 1000 for start in stamp.starts())
    return {"median": round(statistics.median(lags), 1), "max": round(lags[-1], 1)}


def _forget(stack: Stack, task: int) -> None:
    """Away with the runs that were only there to be in the way."""
    statement = f"DELETE FROM tasks_app_taskrun WHERE task_id = {task} AND status = 'pending'"  # noqa: S608 - a number
    stack.database.execute(statement)
    stack.database.execute("VACUUM ANALYZE tasks_app_taskrun")
    runs = stack.database.rows("SELECT id FROM tasks_app_taskrun WHERE task_id = %s AND completed_at IS NULL", task)
    for (run,) in runs:
        stack.api.call("POST", f"runs/{run}/cancel/", {})
    stack.await_idle(60)
