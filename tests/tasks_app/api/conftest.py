"""What the tests of the REST API share: rows to start with, and the one shape of errors."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from access_app.models import Namespace
from tasks_app.clock import database_now
from tasks_app.models import FINAL, RunAttempt, RunLog, Task, TaskRun, run_of
from workers_app.models import WorkerInfo

TASKS, RUNS, WORKERS = "/api/v1/tasks/", "/api/v1/runs/", "/api/v1/workers/"
TASK = {"name": "t", "executor": "shell", "command": "true"}
COUNTED = (Task, TaskRun, RunAttempt, RunLog, Namespace, WorkerInfo)


def refused(answer: Any, status: int, field: str = "", code: str = "") -> dict[str, Any]:
    """See that `answer` is an error of our shape which names `field`; return it."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "message", "fields"}
    assert error["message"]
    assert all(isinstance(texts, list) and all(texts) for texts in error["fields"].values()), error
    assert "non_field_errors" not in str(body)
    assert "__all__" not in str(body)
    if field:
        assert field in error["fields"], error
    if code:
        assert error["code"] == code
    return error


def rows() -> list[int]:
    return [model.objects.count() for model in COUNTED]


@pytest.fixture
def make_task(db: None) -> Callable[..., Task]:
    def make(name: str = "t", **values: Any) -> Task:
        namespace, _ = Namespace.objects.get_or_create(name=values.pop("namespace", "default"))
        return Task.objects.create(**{**TASK, "name": name, "namespace": namespace, **values})

    return make


@pytest.fixture
def task(make_task: Callable[..., Task]) -> Task:
    return make_task()


@pytest.fixture
def make_worker(db: None) -> Callable[..., WorkerInfo]:
    def make(name: str = "w", **values: Any) -> WorkerInfo:
        now = database_now()
        defaults = {"boot_id": uuid4(), "max_tasks": 5, "last_heartbeat": now, "lease_until": now}
        return WorkerInfo.objects.create(name=name, **(defaults | values))

    return make


@pytest.fixture
def worker(make_worker: Callable[..., WorkerInfo]) -> WorkerInfo:
    return make_worker()


@pytest.fixture
def make_run(task: Task) -> Callable[..., TaskRun]:
    """A stored run in any state, with the times that state implies."""

    def make(status: str = "pending", **values: Any) -> TaskRun:
        now = database_now()
        times = {
            "assigned_at": now if status not in ("pending", "skipped", "cancelled") else None,
            "started_at": now if status in ("running", "succeeded", "failed") else None,
            "completed_at": now if status in FINAL else None,
        }
        run = run_of(values.pop("task", task), now=now, status=status, **(times | values))
        run.save(force_insert=True)
        return run

    return make


@pytest.fixture
def quiet(api: APIClient) -> APIClient:
    """`api`, which gets a 500 as an answer instead of the exception behind it."""
    api.raise_request_exception = False
    return api
