"""The processes of attempts, as the kernel shows them: which there are, and when they are gone."""

import time
from collections import defaultdict
from collections.abc import Iterable

import psutil

LOOK_SECONDS = 0.01
RUN, ATTEMPT = "SCHEDULER_RUN_ID", "SCHEDULER_ATTEMPT"

Key = tuple[str, int]
"""Run and attempt."""


def by_attempt() -> dict[Key, list[psutil.Process]]:
    """All processes of all attempts on this machine that live now, known by their environment."""
    found: dict[Key, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        try:
            variables = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if RUN in variables and alive(process):
            found[variables[RUN], int(variables.get(ATTEMPT, 0))].append(process)
    return found


def of_run(run: str) -> list[psutil.Process]:
    """The processes of a run, whatever the attempt."""
    return [process for (id, _), some in by_attempt().items() if id == run for process in some]


def alive(process: psutil.Process) -> bool:
    """False for a zombie: it does nothing any more."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone_at(processes: Iterable[psutil.Process], seconds: float) -> dict[psutil.Process, float]:
    """When each was first seen to be gone (monotonic), looking at least once, and for so many seconds at most.

    Others are left out.
    """
    left = set(processes)
    found: dict[psutil.Process, float] = {}
    deadline = time.monotonic() + seconds
    while True:
        gone = {process for process in left if not alive(process)}
        found |= dict.fromkeys(gone, time.monotonic())
        left -= gone
        if not left or time.monotonic() >= deadline:
            return found
        time.sleep(LOOK_SECONDS)
