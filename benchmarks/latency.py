"""How soon a triggered run starts, at 10,000 runs a minute: trigger accepted → process started.

*Accepted* is when the client has read the whole 202, *started* is what the command's own process says. Requests keep
to their schedule whether the server keeps up or not, and `scheduled_to_started_ms` counts from there, so that a
server that lets its clients wait cannot look good.
"""

import json
from collections.abc import Callable
from typing import Any

from benchmarks import figures, load
from benchmarks.load import Load, Sent
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack, wait_until
from benchmarks.stamp import Stamp

RUNS_PER_MINUTE = 10_000
WARM_UP_SECONDS = 1.0


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """Single triggers; and, to compare, the same rate through `runs/bulk/` by ten."""
    stack.workers(size.workers)
    stamp = Stamp(stack.folder)
    task = stack.api.task("latency", **stamp.task)
    single = _rounds(stack, stamp, f"tasks/{task}/run/", "{}", 1, size.latency_rounds, size, tell)
    bulk = _rounds(stack, stamp, "runs/bulk/", json.dumps([{"task": task}] * 10), 10, 1, size, tell)
    return {"started_is_told_by": stamp.method, "runs_per_minute": RUNS_PER_MINUTE, **single, "bulk10": bulk}


def _rounds(
    stack: Stack, stamp: Stamp, path: str, body: str, runs: int, number: int, size: Size, tell: Callable[[str], None]
) -> dict[str, Any]:
    """`number` rounds of requests that trigger `runs` runs each."""
    wanted = Load(stack.api.root + path, stack.api.key, body, RUNS_PER_MINUTE / 60 / runs, WARM_UP_SECONDS)
    _round(stack, stamp, wanted)
    wanted.seconds = size.latency_seconds
    rounds = []
    for done in range(1, number + 1):
        rounds.append(_round(stack, stamp, wanted))
        shown = {name: round(value, 1) for name, value in rounds[-1]["trigger_to_start_ms"].items()}
        tell(f"{path}, round {done} of {number}: {shown}")
    return {name: figures.figures([each[name] for each in rounds], 2) for name in rounds[0]}


def _round(stack: Stack, stamp: Stamp, wanted: Load) -> dict[str, dict[str, float]]:
    stamp.forget()
    before = stack.cpu()
    sent = load.send(wanted)
    triggered = _triggered(sent)
    wait_until(lambda: stamp.count() >= len(triggered), 60, f"{len(triggered)} processes have started")
    stack.await_idle(60)
    after = stack.cpu()
    started = {start.run: start.at for start in stamp.starts()}
    if started.keys() != triggered.keys():
        raise Failed("latency: other runs have started than were triggered")
    return {
        "trigger_to_start_ms": figures.lags([started[run] - request.accepted for run, request in triggered.items()]),
        "scheduled_to_start_ms": figures.lags([started[run] - request.scheduled for run, request in triggered.items()]),
        "answer_ms": figures.lags([request.accepted - request.sent for request in sent.requests]),
        "sent_late_ms": figures.lags([request.sent - request.scheduled for request in sent.requests]),
        "cpu_ms_per_run": {name: (after[name] - before[name]) / len(triggered) * 1000 for name in after}
        | {"load_generator": sent.cpu_seconds / len(triggered) * 1000},
    }


def _triggered(sent: Sent) -> dict[str, load.Request]:
    """Run → the request that triggered it."""
    found = {}
    for request in sent.requests:
        answer = json.loads(request.answer)
        if "id" not in answer and "runs" not in answer:
            raise Failed(f"latency: a trigger was refused: {request.answer[:200]}")
        for run in answer.get("runs", [answer]):
            found[run["id"]] = request
    return found
