"""Flows through the real processes: from a file of tasks to the last join, also while dispatchers are killed."""

import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from services import Entry
from tests.acceptance.harness import ROOT, Stack, postgresql_database
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

DIAMOND = """
tasks:
  - name: extract
    executor: shell
    command: echo '{"rows":' 3'}'
  - name: transform
    executor: shell
    command: echo "$((SCHEDULER_PARAM_ROWS * 2))" > "$SCHEDULER_RESULT_FILE"
    depends_on: [extract]
    inputs: {rows: parents.extract.result.rows}
  - name: audit
    executor: shell
    command: exit 3
    depends_on: [{task: extract, when: result.rows > 2}]
  - name: report
    executor: shell
    command: echo "$SCHEDULER_PARAM_TOTAL rows; $SCHEDULER_PARAM_AUDIT"
    depends_on: [transform, audit]
    trigger_rule: all_done
    inputs: {total: parents.transform.result, audit: parents.audit.status}
"""


def manage(stack: Stack, *words: str, text: str = "") -> str:
    argv = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        argv, env=stack.environment, cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_diamond_from_a_file_with_results_and_conditions(stack: Stack):
    manage(stack, "apply", "-", "--source", "diamond", text=DIAMOND)
    stack.worker()
    ids = {task["name"]: task["id"] for task in stack.get("tasks/")["results"]}
    flow = stack.post(f"tasks/{ids['extract']}/run/")["flow"]
    ended = wait_until(lambda: _over(stack, flow), 30, "the flow is over")
    assert {step["name"]: step["status"] for step in ended["steps"]} == {
        "extract": "succeeded",
        "transform": "succeeded",
        "audit": "failed",
        "report": "succeeded",
    }
    assert ended["status"] == "failed"
    (report,) = stack.runs(ids["report"])
    assert stack.log(report["id"]) == "6 rows; failed\n"


def _over(stack: Stack, flow: str) -> dict | None:
    found = stack.get(f"flows/{flow}/")
    return found if found["status"] != "running" else None


SHAPES = {
    "line": {"b": ["a"], "c": ["b"], "d": ["c"]},
    "diamond": {"b": ["a"], "c": ["a"], "d": ["b", "c"]},
    "web": {"b": ["a"], "c": ["a"], "d": ["a", "b"], "e": ["b", "c", "d"], "f": ["a", "e"]},
}
FLOWS = 200


def test_flows_survive_the_death_of_dispatchers(make_stack: Callable[..., Stack], tmp_path: Path, postgresql: Entry):
    """No step is lost, none runs twice, every join runs once and after all of its parents."""
    stack = make_stack(database=postgresql_database(postgresql.url))
    stack.web()
    ledger = tmp_path / "ledger"
    firsts = [_shaped(stack, name, parents, ledger) for name, parents in SHAPES.items()]
    dispatchers = [stack.dispatcher("dispatcher-0")]
    stack.worker(max_tasks=30)
    over = threading.Event()
    killer = threading.Thread(target=_kill, args=(stack, dispatchers, over))
    killer.start()
    try:
        for number in range(0, FLOWS, 20):
            stack.post("runs/bulk/", [{"task": firsts[(number + each) % len(firsts)]} for each in range(20)])
        wait_until(lambda: _running(stack) == 0, 120, f"{FLOWS} flows are over")
    finally:
        over.set()
        killer.join()
    _check(stack, ledger)
    assert len(dispatchers) > 5, "some have been killed"


def _shaped(stack: Stack, name: str, parents: dict[str, list[str]], ledger: Path) -> int:
    command = f"echo $SCHEDULER_RUN_ID >> {ledger}"
    first = stack.task(command, name=f"{name}-a")
    for step, those in parents.items():
        stack.task(command, name=f"{name}-{step}", depends_on=[f"{name}-{parent}" for parent in those])
    return first


def _kill(stack: Stack, dispatchers: list, over: threading.Event) -> None:
    """With kill -9, one after the other, at any moment; now and then there are two."""
    chance = random.Random(7)
    while not over.wait(chance.uniform(0.2, 2.0)):
        dispatchers.append(stack.dispatcher(f"dispatcher-{len(dispatchers)}"))
        if chance.random() < 0.8:
            over.wait(chance.uniform(0.0, 1.5))
            for process in dispatchers[:-1]:
                process.kill()


def _running(stack: Stack) -> int:
    return len(stack.get("flows/?status=running&page_size=500")["results"])


def _check(stack: Stack, ledger: Path) -> None:
    flows = stack.get("flows/?page_size=500")["results"]
    assert Counter(flow["status"] for flow in flows) == {"succeeded": FLOWS}
    runs = {run["id"]: run for task in stack.get("tasks/?page_size=100")["results"] for run in stack.runs(task["id"])}
    steps = {shape: len(parents) + 1 for shape, parents in SHAPES.items()}
    assert len(runs) == sum(steps[flow["task_name"].partition("-")[0]] for flow in flows)
    assert Counter(ledger.read_text().split()) == dict.fromkeys(runs, 1)
    ended = {(run["flow"], run["task_name"]): run for run in runs.values()}
    for (flow, name), run in ended.items():
        shape, _, step = name.partition("-")
        for parent in SHAPES[shape].get(step, ()):
            assert ended[flow, f"{shape}-{parent}"]["completed_at"] <= run["assigned_at"]


DOCUMENT = (ROOT / "docs" / "dependencies.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.+?)```\n\n\| step \| ends \|\n\|---\|---\|\n(.+?)\n\n", DOCUMENT, re.DOTALL)


def test_the_examples_of_the_document_end_as_it_says(stack: Stack):
    assert len(EXAMPLES) == 3
    stack.worker()
    for number, (text, table) in enumerate(EXAMPLES):
        manage(stack, "apply", "-", "--source", f"example-{number}", text=text)
        expected = dict(re.findall(r"^\| `(.+?)` \| (\w+) \|$", table, re.MULTILINE))
        first = next(iter(expected))
        ids = {task["name"]: task["id"] for task in stack.get("tasks/?page_size=100")["results"]}
        flow = stack.post(f"tasks/{ids[first]}/run/")["flow"]
        ended = wait_until(lambda flow=flow: _over(stack, flow), 30, "the flow is over")
        assert {step["name"]: step["status"] for step in ended["steps"]} == expected
        assert ended["status"] == "succeeded"
    (tell,) = stack.runs(ids["tell"])
    assert tell["params"]["all"] == ["a is up", "b is up", "c is up"]
