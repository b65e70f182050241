"""Processes that stand still for longer than a lease, and go on then: they have done no harm, and do none."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from services import Entry
from tests.acceptance.harness import Stack, postgresql_database
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

LEASE_SECONDS = 5
KILLED_SECONDS = 2
"""What was frozen together with its worker is gone so soon after the thaw."""
COMMAND = "echo $SCHEDULER_ATTEMPT $$ >> {ledger}; exec sleep 1000"


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    found = make_stack(SCHEDULER_LEASE_SECONDS=str(LEASE_SECONDS))
    found.web()
    found.dispatcher()
    return found


@contextmanager
def frozen(*processes: psutil.Process) -> Iterator[None]:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def boots(stack: Stack, name: str) -> list[str]:
    """The boot ids of a worker's incarnations that are alive."""
    found = stack.get("workers/")["results"]
    return [w["boot_id"] for w in found if w["name"] == name and w["status"] in ("online", "busy")]


def begun(ledger: Path) -> dict[int, int]:
    """Attempt → process id."""
    lines = ledger.read_text().split("\n")[:-1] if ledger.exists() else []
    return {int(attempt): int(pid) for attempt, pid in (line.split() for line in lines)}


@pytest.mark.parametrize("whole", [False, True], ids=["the worker alone", "and all it has started"])
def test_a_frozen_worker(stack: Stack, tmp_path: Path, whole: bool):
    ledger = tmp_path / "ledger"
    worker = stack.worker("first")
    run = stack.run(stack.task(COMMAND.format(ledger=ledger)))
    wait_until(lambda: 1 in begun(ledger), 10, "the first attempt runs")
    (boot,) = boots(stack, "first")
    stack.worker("second")
    own = psutil.Process(worker.pid)
    family = [own, *own.children(recursive=True)] if whole else [own]
    with frozen(*family):
        wait_until(lambda: 2 in begun(ledger), LEASE_SECONDS + 5, "the other worker has taken over")
        # Alone, its commands have ended by themselves; frozen with it they wait, and do nothing.
        assert psutil.pid_exists(begun(ledger)[1]) == whole
    wait_until(lambda: not psutil.pid_exists(begun(ledger)[1]), KILLED_SECONDS, "what it ran is gone")
    wait_until(lambda: boots(stack, "first") not in ([], [boot]), 10, "it has begun anew")
    found = stack.wait_for(run, "running")
    assert (found["attempt"], found["worker"]) == (2, "second")
    stack.post(f"runs/{run}/cancel/")
    stack.wait_for(run, "cancelled", seconds=5)
    assert not any(map(psutil.pid_exists, begun(ledger).values()))
    assert sorted(begun(ledger)) == [1, 2]


def test_a_frozen_dispatcher_beside_another(any_broker: str, make_stack: Callable[..., Stack], postgresql: Entry):
    """Messages that wait in its hands are lost to the others for so long: no worker may lose its lease by that."""
    settings = {"SCHEDULER_LEASE_SECONDS": str(LEASE_SECONDS)}
    stack = make_stack(broker_url=any_broker, database=postgresql_database(postgresql.url), **settings)
    stack.web()
    still = stack.dispatcher("still")
    stack.worker("first")
    stack.dispatcher("moving")
    wait_until(lambda: stack.listens("moving"), 20)
    task = stack.task("true", schedule="* * * * * *")
    before = boots(stack, "first")
    with frozen(psutil.Process(still.pid)):
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() - begin > 2 * LEASE_SECONDS, 3 * LEASE_SECONDS)
        fired = len(stack.runs(task))
        assert fired >= 2 * LEASE_SECONDS - 3
    assert boots(stack, "first") == before
    wait_until(lambda: stack.counts(task).get("succeeded", 0) > fired, 10, "both go on")
    assert {run["attempt"] for run in stack.runs(task)} == {1}
    nominal = [run["scheduled_for"] for run in stack.runs(task)]
    assert len(nominal) == len(set(nominal))
    assert still.poll() is None
