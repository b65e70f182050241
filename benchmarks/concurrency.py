"""How many commands one worker runs at the same time, and what memory it takes then."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks import cpu
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack

STARTS_PER_SECOND = 250
"""The slowest rate at which all of them still run at the same time."""


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """Each number on a worker with as many slots."""
    attempts = []
    for number in size.at_once:
        stack.workers(1, max_tasks=number)
        attempts.append(_attempt(stack, number))
        tell(f"{number:,} slots: {attempts[-1]['max_running']:,} at once, {attempts[-1]['memory']}")
    return {"max_running": max(each["max_running"] for each in attempts), "attempts": attempts}


def _attempt(stack: Stack, number: int) -> dict[str, Any]:
    seconds = 4 + number // STARTS_PER_SECOND
    task = stack.api.task(f"{number} at once", "shell", f"exec sleep {seconds}")
    worker = stack.pids()["worker-1"]
    stack.api.trigger(task, number)
    most, reached, memory = _watch(worker, number, seconds * 3)
    stack.await_idle(seconds * 3)
    if stack.database.outcomes(task) != {("succeeded", 1, 0): number}:
        raise Failed(f"concurrency: not every one of {number} runs has succeeded: {stack.database.outcomes(task)}")
    return {"slots": number, "max_running": most, "reached_after_seconds": round(reached, 1), "memory": memory}


def _watch(worker: int, number: int, seconds: float) -> tuple[int, float, dict[str, dict[str, float]]]:
    """The most processes at the same time, after how long, and the worker's memory then."""
    begun, most, reached = time.monotonic(), 0, 0.0
    memory: dict[str, dict[str, float]] = {}
    while most < number and time.monotonic() - begun < seconds:
        running = _running(worker)
        if running > most:
            most, reached, memory = running, time.monotonic() - begun, _memory(worker)
        elif running == 0 and most:
            break
        time.sleep(0.25)
    return most, reached, memory


def _running(worker: int) -> int:
    """The kernel's count of processes: the commands are the children of the worker's helper."""
    return sum(len(cpu.children(helper)) for helper in cpu.children(worker))


def _memory(worker: int) -> dict[str, dict[str, float]]:
    """Of a worker and of its helpers, without what they run."""
    helpers = {f"worker's helper {n}": cpu.memory_mb(pid) for n, pid in enumerate(cpu.children(worker), 1)}
    return {"worker": cpu.memory_mb(worker), **helpers}
