"""What web, dispatcher and worker take when there is nothing to do: memory, and CPU."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks import cpu
from benchmarks.size import Size
from benchmarks.stack import Stack

SOME_RUNS = 10


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """One of each. They have worked once, so that what they load late counts, too."""
    stack.workers(1)
    fresh = _memory(stack)
    stack.api.trigger(stack.api.task("memory", "shell", "true"), SOME_RUNS)
    stack.await_idle(10)
    before, begun = stack.cpu(), time.monotonic()
    time.sleep(size.idle_seconds)
    after, seconds = stack.cpu(), time.monotonic() - begun
    idle = _memory(stack)
    tell(", ".join(f"{name} {memory['pss']:.0f} MB" for name, memory in idle.items()))
    return {
        "pss_mb": {name: memory["pss"] for name, memory in idle.items()},
        "rss_mb": {name: memory["rss"] for name, memory in idle.items()},
        "fresh_pss_mb": {name: memory["pss"] for name, memory in fresh.items()},
        "idle_cpu_percent": {name: round((after[name] - before[name]) / seconds * 100, 2) for name in after},
    }


def _memory(stack: Stack) -> dict[str, dict[str, float]]:
    """Of each process, and of each of its helpers by itself."""
    found: dict[str, dict[str, float]] = {}
    for name, pid in stack.pids().items():
        kind = name.partition("-")[0]
        for number, each in enumerate(cpu.family(pid)):
            found[f"{kind}'s helper {number}" if number else kind] = cpu.memory_mb(each)
    return found
