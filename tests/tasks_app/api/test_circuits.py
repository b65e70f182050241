"""Circuits over the REST API."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from tasks_app.clock import database_now
from tasks_app.models import Circuit, Task
from tests.tasks_app.api.conftest import TASK, TASKS, WORKERS, refused

pytestmark = pytest.mark.django_db
CIRCUITS = "/api/v1/circuits/"
FIELDS = {"id", "target", "state", "failures", "opened_at", "retry_at", "probe"}


def a_circuit(target: str = "task:1", state: str = "open", **fields) -> Circuit:
    now = database_now()
    values = {"failures": 5, "trips": 1, "opened_at": now, "retry_at": now + timedelta(seconds=30)}
    if state == "half_open":
        values |= {"probe_id": uuid7(), "probe_attempt": 1}
    return Circuit.objects.create(target=target, state=state, updated_at=now, **(values | fields))


def targets(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [circuit["target"] for circuit in answer.json()["results"]]


def test_list_and_detail(api):
    circuit = a_circuit("host:example.com:443", "half_open")
    (listed,) = api.get(CIRCUITS).json()["results"]
    assert set(listed) == FIELDS
    assert (listed["state"], listed["failures"], listed["probe"]) == ("half_open", 5, str(circuit.probe_id))
    assert listed["retry_at"].endswith("Z")
    assert api.get(f"{CIRCUITS}{circuit.pk}/").json() == listed


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["worker:w", "task:2", "task:1"]),
        ("?state=open", ["task:1"]),
        ("?state=closed", ["worker:w"]),
        ("?target=task:2", ["task:2"]),
        ("?target=task", []),
    ],
)
def test_filters(api, query, found):
    a_circuit("task:1")
    a_circuit("task:2", "half_open")
    a_circuit("worker:w", "closed", retry_at=None)
    assert targets(api.get(CIRCUITS + query)) == found


@pytest.mark.parametrize(
    ("query", "field"), [("state=ajar", "state"), ("target=%00", "target"), ("cursor=x", "cursor")]
)
def test_garbage_in_filters(quiet, query, field):
    refused(quiet.get(f"{CIRCUITS}?{query}"), 400, field)


@pytest.mark.parametrize("state", ["open", "half_open", "closed"])
def test_reset(api, state):
    circuit = a_circuit(state=state)
    answer = api.post(f"{CIRCUITS}{circuit.pk}/reset/")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["state"], body["failures"], body["retry_at"], body["probe"]) == ("closed", 0, None, None)
    assert body["opened_at"]
    assert api.get(f"{CIRCUITS}{circuit.pk}/").json() == body


@pytest.mark.parametrize("pk", ["999999", "abc", "9" * 30])
@pytest.mark.parametrize(("method", "action"), [("get", ""), ("post", "reset/")])
def test_no_such_circuit(quiet, method, action, pk):
    error = refused(getattr(quiet, method)(f"{CIRCUITS}{pk}/{action}"), 404, code="not_found")
    assert error["message"] == f"There is no circuit with the id {pk}."


@pytest.mark.parametrize(("method", "address"), [("post", CIRCUITS), ("patch", "{one}"), ("delete", "{one}")])
def test_only_the_engine_makes_them(quiet, method, address):
    refused(getattr(quiet, method)(address.format(one=f"{CIRCUITS}{a_circuit().pk}/"), {}), 405)


def test_a_list_takes_the_same_statements_however_long_it_is(api):
    a_circuit()
    with CaptureQueriesContext(connection) as few:
        api.get(CIRCUITS)
    for n in range(30):
        a_circuit(f"task:{n + 2}")
    with CaptureQueriesContext(connection) as many:
        assert len(targets(api.get(CIRCUITS))) == 31
    assert len(many) == len(few) <= 4


def test_a_task_knows_what_its_circuit_guards(api):
    body = api.post(TASKS, {**TASK, "executor": "http", "command": "https://a.example/x", "circuit": "hold"}).json()
    task = Task.objects.get(pk=body["id"])
    assert task.protects == "host:a.example:443"
    api.patch(f"{TASKS}{task.pk}/", {"command": "http://b.example:81/"})
    assert Task.objects.get(pk=task.pk).protects == "host:b.example:81"
    api.patch(f"{TASKS}{task.pk}/", {"executor": "shell", "command": "true"})
    assert Task.objects.get(pk=task.pk).protects == f"task:{task.pk}"


def test_a_worker_says_until_when_it_is_set_aside(api, make_worker):
    well, bad = make_worker("well"), make_worker("bad")
    circuit = a_circuit("worker:bad")
    a_circuit("worker:well", "closed", retry_at=None)
    found = {worker["name"]: worker["set_aside_until"] for worker in api.get(WORKERS).json()["results"]}
    assert found == {"well": None, "bad": api.get(f"{CIRCUITS}{circuit.pk}/").json()["retry_at"]}
    assert api.get(f"{WORKERS}{bad.pk}/").json()["set_aside_until"] == found["bad"]
    assert api.post(f"{WORKERS}{well.pk}/drain/").json()["set_aside_until"] is None
