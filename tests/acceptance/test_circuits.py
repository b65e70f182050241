"""Circuit breakers end to end: what fails is left alone and tried again; who cannot start anything is set aside."""

import resource
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance


def circuit(stack: Stack, target: str) -> dict[str, Any]:
    found = stack.get(f"circuits/?target={target}")["results"]
    return found[0] if found else {"state": None}


def test_what_fails_is_left_alone_until_a_probe_succeeds(stack: Stack, tmp_path: Path):
    stack.worker()
    mended = tmp_path / "mended"
    limits = {"circuit": "hold", "circuit_failures": 2, "circuit_seconds": 2}
    task = stack.task(f"test -e {mended}", **limits)
    for _ in range(2):
        stack.wait_for(stack.run(task), "failed")
    target = f"task:{task}"
    wait_until(lambda: circuit(stack, target)["state"] == "open", 5, "the circuit opens")
    waiting = [stack.run(task) for _ in range(3)]
    first = stack.wait_for(waiting[0], "failed", seconds=10)
    wait_until(lambda: circuit(stack, target)["failures"] == 3, 5, "the probe's failure is counted")
    assert [stack.get(f"runs/{run}/")["status"] for run in waiting[1:]] == ["pending"] * 2
    mended.touch()
    ended = [stack.wait_for(run, seconds=15) for run in waiting[1:]]
    assert circuit(stack, target)["state"] == "closed"
    assert first["started_at"] < ended[0]["started_at"] <= ended[1]["started_at"]


def test_a_worker_that_can_start_nothing_is_set_aside_and_its_runs_succeed_elsewhere(stack: Stack):
    bad, _ = stack.worker("bad"), stack.worker("good")
    task = stack.task("true", max_attempts=1, delivery="at_most_once")
    resource.prlimit(bad.pid, resource.RLIMIT_NOFILE, (3, 3))
    runs = [run["id"] for run in stack.post("runs/bulk/", [{"task": task}] * 10)["runs"]]
    ended = [stack.wait_for(run) for run in runs]
    assert {run["worker"] for run in ended} == {"good"}
    returned = [attempt for run in ended for attempt in run["attempts"]]
    assert {(attempt["worker"], attempt["reason"]) for attempt in returned} == {("bad", "unable")}
    workers = {worker["name"]: worker["set_aside_until"] for worker in stack.get("workers/")["results"]}
    assert workers["good"] is None
    assert workers["bad"] == circuit(stack, "worker:bad")["retry_at"] is not None
    assert "[unable]" in (stack.folder / "bad.log").read_text()
    assert (stack.folder / "dispatcher.log").read_text().count("[worker_set_aside]") == 1
