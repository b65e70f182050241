"""“Why is it not running?”, asked of the real thing for every gate; then the gate is opened and the run runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.harness import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

HOLD = 'until [ -e "$STOP" ]; do sleep 0.05; done'


def waits(stack: Stack, run: str, gate: str, *words: str) -> dict[str, Any]:
    """The line of the gate at which the run waits, as a person reads it."""

    def look() -> Any:
        found = stack.get(f"runs/{run}/explain/")
        return found if found["summary"].startswith(f"It waits at the gate “{gate}”.") else None

    found = wait_until(look, 10, f"run {run} waits at the gate {gate}")
    line = next(each for each in found["gates"] if each["gate"] == gate and not each["open"])
    for word in words:
        assert word in found["summary"], found["summary"]
    assert line["opens"]
    return line


@pytest.fixture
def held(stack: Stack, tmp_path: Any) -> tuple[Callable[..., tuple[str, str]], Callable[[], None]]:
    """Makes a task and two runs of it, of which the first holds something that the second needs, until it is told."""
    stop = tmp_path / "stop"

    def make(name: str, **fields: Any) -> tuple[str, str]:
        task = stack.task(HOLD.replace("$STOP", str(stop)), name=name, **fields)
        first = stack.run(task)
        stack.wait_for(first, "running")
        return first, stack.run(task)

    return make, stop.touch


def test_every_gate_says_why_and_then_opens(stack: Stack, held: Any):
    make, let_go = held
    lonely = stack.run(stack.task("true", name="lonely", worker_labels={"zone": "mars"}))
    waits(stack, lonely, "worker labels", "No worker is online.")
    stack.worker(max_tasks=20)
    waits(stack, lonely, "worker labels", "0 of 1 worker online may carry it out.", "it has no label zone=mars")

    stack.post("pools/", {"name": "licences", "slots": 1})
    waiting = {}
    for gate, fields in {
        "overlap": {"overlap": "queue"},
        "mutex": {"mutex": "the-{what}"},
        "pool": {"pools": {"licences": 1}},
        "rate": {"rate_count": 1, "rate_seconds": 4},
    }.items():
        first, waiting[gate] = make(gate, **fields)
        line = waits(stack, waiting[gate], gate, "1 of 1 taken")
        assert first in line["value"]
        wait_until(lambda run=waiting[gate]: stack.get(f"runs/{run}/")["gate_since"], 5, "a dispatcher has seen it")
        assert waits(stack, waiting[gate], gate)["since"]

    parent = stack.task(HOLD.replace("$STOP", str(stack.folder / "stop")), name="parent")
    stack.task("true", name="child", depends_on=["parent"])
    flow = stack.get(f"flows/{stack.post(f'tasks/{parent}/run/')['flow']}/")
    waiting["dependency"] = flow["steps"][1]["run"]
    waits(stack, waiting["dependency"], "dependency", "It waits for 1 parent: parent (")

    soon = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
    timed = stack.task("true", name="timed")
    waiting["time"] = stack.post(f"tasks/{timed}/run/", {"scheduled_for": soon})["id"]
    waits(stack, waiting["time"], "time", "It is meant to start at")

    paused = stack.task("true", name="paused")
    stack.post(f"tasks/{paused}/pause/", {"reason": "Moving house"})
    waiting["pause"] = stack.run(paused)
    waits(stack, waiting["pause"], "pause", "by admin (Moving house)")

    failing = stack.task("[ -e stop ]", name="failing", circuit="hold", circuit_failures=1, circuit_seconds=3)
    stack.request("PATCH", f"tasks/{failing}/", {"config": {"cwd": str(stack.folder)}})
    stack.wait_for(stack.run(failing), "failed")
    waiting["circuit"] = stack.run(failing)
    waits(stack, waiting["circuit"], "circuit", "is open after 1 failure in a row")

    gates = stack.get(f"runs/{waiting['pool']}/explain/")["gates"]
    assert {"calendar", "priority", "capacity"} <= {each["gate"] for each in gates if each["open"]}

    let_go()
    stack.post(f"tasks/{paused}/resume/")
    for run in waiting.values():
        stack.wait_for(run, "succeeded")


def test_capacity_and_priority(stack: Stack, held: Any):
    make, let_go = held
    stack.worker(max_tasks=1)
    _, second = make("busy")
    waits(stack, second, "capacity", "0 of 1 slot free on 1 worker")
    third = stack.run(stack.task("true", name="later", priority=-5))
    gates = {each["gate"]: each for each in stack.get(f"runs/{third}/explain/")["gates"]}
    assert gates["priority"]["value"] == "1 ready run of the same kind goes before it, by priority or age."
    let_go()
    for run in (second, third):
        stack.wait_for(run)


def test_why_nothing_ran_at_a_time(stack: Stack):
    task = stack.task("true", schedule="0 0 1 1 *")
    stack.post("calendars/", {"name": "works", "closed": "sat, sun"})
    told = stack.get(f"tasks/{task}/explain/?at=2020-01-01T00:00:00Z")["summary"]
    assert told.startswith("The task was made later, at")
    year = datetime.now(UTC).year + 1
    assert stack.get(f"tasks/{task}/explain/?at={year}-01-01T00:00:00Z")["summary"] == "It is to come."
    assert "no nominal time" in stack.get(f"tasks/{task}/explain/?at={year}-01-02T00:00:00Z")["summary"]
