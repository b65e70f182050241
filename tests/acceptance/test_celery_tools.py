"""Celery's own tools see what really runs, under the task's own name."""

import subprocess
import urllib.error

import pytest

from scheduler_project.standalone.state import free_port
from tests.acceptance.harness import CELERY, ROOT, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance


def test_flower_and_inspect_show_runs_by_task_name(stack: Stack):
    stack.worker("worker-1")
    port = free_port()
    flower = f"http://127.0.0.1:{port}"
    environment = {**stack.environment, "FLOWER_UNAUTHENTICATED_API": "true"}
    stack.start("flower", [*CELERY, "-A", "scheduler_project", "flower", f"--port={port}"], environment)
    wait_until(lambda: _workers(stack, flower), 30, "Flower knows the worker")
    # Flower asks the worker for its events, so that they cost nothing where nobody looks.
    log = stack.folder / "worker-1.log"
    wait_until(lambda: "Events of group {task} enabled" in log.read_text(), 30, "the worker sends events")
    task = stack.task("sleep $SCHEDULER_PARAM_SECONDS", name="nightly-report")
    ended = stack.post(f"tasks/{task}/run/", {"params": {"seconds": 0}})["id"]
    running = stack.post(f"tasks/{task}/run/", {"params": {"seconds": 60}})["id"]

    def shown() -> bool:
        tasks = stack.get(f"{flower}/api/tasks")
        states = {uuid: (seen["name"], seen["state"]) for uuid, seen in tasks.items()}
        return states == {
            f"{ended}.1": ("nightly-report", "SUCCESS"),
            f"{running}.1": ("nightly-report", "STARTED"),
        }

    wait_until(shown, 20, "Flower shows both runs")
    argv = [*CELERY, "-A", "scheduler_project", "inspect", "active"]
    active = subprocess.run(argv, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert running in active
    assert "nightly-report" in active
    assert ended not in active


def _workers(stack: Stack, flower: str) -> bool:
    try:
        return any(name.startswith("worker-1@") for name in stack.get(f"{flower}/api/workers?refresh=1"))
    except urllib.error.URLError:
        return False
