"""`POST runs/bulk/`: all of the triggers or none of them, in a handful of statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_app.models import TaskRun
from tests.tasks_app.api.conftest import RUNS, refused

pytestmark = pytest.mark.django_db

BULK = f"{RUNS}bulk/"
STATEMENTS = 45
"""For 1,000 runs; SQLite inserts at most 999 values at a time."""


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_object_or_a_bare_list(api, task, make_task, wrapped):
    other = make_task("other")
    items = [{"task": task.pk, "params": {"n": 1}}, {"task": other.pk}, {"task": task.pk, "idempotency_key": "k"}]
    answer = api.post(BULK, {"runs": items} if wrapped else items)
    assert answer.status_code == 202, answer.content
    runs = answer.json()["runs"]
    assert [run["task"] for run in runs] == [task.pk, other.pk, task.pk]
    assert runs[0]["params"] == {"n": 1}
    assert {run["id"] for run in runs} == {str(pk) for pk in TaskRun.objects.values_list("pk", flat=True)}


def test_a_thousand_at_once(api, task, make_task):
    tasks = [task.pk, *(make_task(f"t{index}").pk for index in range(50))]
    items = [{"task": tasks[index % len(tasks)], "params": {"n": index}} for index in range(1000)]
    with CaptureQueriesContext(connection) as statements:
        answer = api.post(BULK, {"runs": items})
    assert answer.status_code == 202
    assert [run["params"]["n"] for run in answer.json()["runs"]] == list(range(1000))
    assert TaskRun.objects.count() == 1000
    assert len(statements) <= STATEMENTS, len(statements)


def test_a_thousand_with_keys_twice(api, task):
    items = [{"task": task.pk, "idempotency_key": f"k{index}"} for index in range(1000)]
    first = api.post(BULK, items)
    with CaptureQueriesContext(connection) as statements:
        again = api.post(BULK, items)
    assert first.json() == again.json()
    assert TaskRun.objects.count() == 1000
    assert len(statements) <= STATEMENTS, len(statements)


def test_one_key_twice_in_a_request_is_one_run(api, task):
    runs = api.post(BULK, [{"task": task.pk, "idempotency_key": "k"}] * 2).json()["runs"]
    assert runs[0]["id"] == runs[1]["id"]
    assert TaskRun.objects.count() == 1


def test_a_key_used_with_other_params_refuses_them_all(quiet, task):
    quiet.post(BULK, [{"task": task.pk, "idempotency_key": "k"}])
    items = [{"task": task.pk}, {"task": task.pk, "idempotency_key": "k", "params": {"a": 1}}]
    refused(quiet.post(BULK, items), 409, code="conflict")
    assert TaskRun.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"runs": []}, {"runs": "x"}, {"runs": {}}, {"runs": None}, [], {"runs": [{"task": 1}] * 1001}, "x", 5],
    ids=lambda body: str(body)[:20],
)
def test_no_list_of_a_fitting_length(quiet, task, body):
    refused(quiet.post(BULK, body), 400, "runs")
    assert TaskRun.objects.count() == 0


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({}, "runs.1.task"),
        ({"task": 999_999}, "runs.1.task"),
        ({"task": "abc"}, "runs.1.task"),
        ({"task": True}, "runs.1.task"),
        ({"task": None}, "runs.1.task"),
        ({"task": 0}, "runs.1.task"),
        ({"task": "9" * 30}, "runs.1.task"),
        ({"params": []}, "runs.1.params"),
        ({"params": {"a": "x" * 20_000}}, "runs.1.params"),
        ({"scheduled_for": "soon"}, "runs.1.scheduled_for"),
        ({"idempotency_key": "k" * 201}, "runs.1.idempotency_key"),
        ({"idempotency_key": 5}, "runs.1.idempotency_key"),
        ({"idempotency_key": ""}, "runs.1.idempotency_key"),
        ({"parms": {}}, "runs.1.parms"),
        ("text", "runs.1"),
        (None, "runs.1"),
        ([], "runs.1"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_one_bad_item_refuses_them_all(quiet, task, bad, field, wrapped):
    good = {"task": task.pk}
    if isinstance(bad, dict) and "task" not in bad and bad:
        bad = good | bad
    items = [good, bad, good]
    error = refused(quiet.post(BULK, {"runs": items} if wrapped else items), 400, field)
    assert set(error["fields"]) == {field}
    assert TaskRun.objects.count() == 0


def test_a_deleted_task(quiet, task, make_task):
    gone = make_task("gone")
    quiet.delete(f"/api/v1/tasks/{gone.pk}/")
    refused(quiet.post(BULK, [{"task": task.pk}, {"task": gone.pk}]), 400, "runs.1.task")
    assert TaskRun.objects.count() == 0
