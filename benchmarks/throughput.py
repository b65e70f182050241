"""Runs per minute, from the first trigger to the last stored result, and what each of them costs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import contest
from benchmarks.contest import Round
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack, wait_until

POLL_SECONDS = 0.05
SLOTS = 500
"""Of each worker: with the default of 100 they wait for work as long as their reports are gathered."""


class Runs:
    """A contestant: runs of one task, triggered through `runs/bulk/` by 1,000 at a time."""

    def __init__(self, stack: Stack, name: str, executor: str, command: str, runs: int) -> None:
        self.name = name
        self.runs = runs
        self._stack = stack
        self._what = (executor, command)
        self._tasks = 0

    def round(self, runs: int) -> Round:
        self._tasks += 1
        task = self._stack.api.task(f"{self.name} {self._tasks}", *self._what)
        before, begun = self._stack.cpu(), time.monotonic()
        self._stack.api.trigger(task, runs)
        wait_until(self._stack.database.idle, 60 + runs / 20, "every run has ended", POLL_SECONDS)
        seconds = time.monotonic() - begun
        after = self._stack.cpu()
        self._verify(task, runs)
        return Round(runs, seconds, {name: after[name] - before[name] for name in after})

    def _verify(self, task: int, runs: int) -> None:
        """A rate counts only if every run has succeeded at its first attempt."""
        code = 200 if self._what[0] == "http" else 0
        outcomes = self._stack.database.outcomes(task)
        if outcomes != {("succeeded", 1, code): runs}:
            raise Failed(f"{self.name}: of {runs} runs, (status, attempt, exit code) came out as {outcomes}")


def shell(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """Runs of `true`."""
    rounds = contest.alternate([shell_runs(stack, size)], size.rounds, size.warm_up, tell)
    return contest.summary(rounds["shell"])


def shell_runs(stack: Stack, size: Size) -> Runs:
    """Workers that are up, and the contestant that uses them."""
    stack.workers(size.workers, max_tasks=SLOTS)
    return Runs(stack, "shell", "shell", "true", size.runs)


def http(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """Calls to a server on this machine, whose own CPU time is not counted."""
    stack.workers(size.workers, max_tasks=SLOTS)
    with target() as url:
        runs = Runs(stack, "http", "http", url, size.http_runs)
        rounds = contest.alternate([runs], size.http_rounds, size.warm_up, tell)
    return contest.summary(rounds["http"])


@contextmanager
def target() -> Iterator[str]:
    """The address of a tiny HTTP server in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.target"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.communicate()
