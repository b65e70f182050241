"""Whatever goes wrong below /api/ is answered as JSON of one shape."""

import pytest
from django.db import ProgrammingError
from django.test import Client

from tasks_app import actions
from tasks_app.api import runs, tasks
from tasks_app.clock import database_now
from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, WORKERS, refused, rows

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/api/", "/api/v1/", "/api/v2/tasks/", "/api/v1/nothing/", f"{TASKS}1/nothing/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_no_such_address(quiet, client, method, address):
    refused(getattr(quiet, method)(address), 404, code="not_found")
    refused(getattr(client, method)(address), 404, code="not_found")


def test_elsewhere_it_is_a_page(client):
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("fault", [RuntimeError("secret detail"), ProgrammingError("secret detail"), KeyError("pk")])
def test_a_fault_of_the_server(quiet, task, monkeypatch, fault):
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(actions, "trigger", fail)
    monkeypatch.setattr(tasks, "database_now", fail)
    monkeypatch.setattr(runs, "database_now", fail)
    before = rows()
    for method, address, body in [
        ("post", f"{TASKS}{task.pk}/run/", {}),
        ("post", TASKS, {**TASK, "name": "other"}),
        ("delete", f"{TASKS}{task.pk}/", None),
        ("post", f"{RUNS}bulk/", [{"task": task.pk}]),
    ]:
        answer = getattr(quiet, method)(address, body)
        refused(answer, 500, code="internal")
        assert b"secret" not in answer.content
    assert rows() == before


def test_a_host_that_is_not_allowed(quiet):
    refused(quiet.get(TASKS, headers={"Host": "evil.example"}), 400, code="bad_request")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("put", TASKS),
        ("delete", TASKS),
        ("patch", RUNS),
        ("get", f"{RUNS}bulk/"),
        ("get", "/api/v1/schedules/preview/"),
        ("post", "/api/v1/schema/"),
        ("delete", WORKERS),
        ("get", "/api/v1/auth/token/"),
        ("get", f"{TASKS}{{task}}/run/"),
        ("get", f"{TASKS}{{task}}/pause/"),
        ("post", f"{TASKS}{{task}}/next-fires/"),
    ],
)
def test_a_method_that_is_not_there(quiet, task, method, address):
    answer = getattr(quiet, method)(address.format(task=task.pk))
    error = refused(answer, 405, code="method_not_allowed")
    assert method.upper() in error["message"]
    assert answer["Allow"]


@pytest.mark.parametrize("accept", ["text/html", "image/png", "nonsense"])
def test_a_client_that_wants_something_else(quiet, accept):
    refused(quiet.get(TASKS, headers={"Accept": accept}), 406, code="not_acceptable")


def test_a_forgotten_slash_keeps_method_and_body(api, task):
    answer = api.post(TASKS[:-1], {**TASK, "name": "other"}, follow=True)
    assert answer.status_code == 201, answer.content
    assert answer.redirect_chain == [(TASKS, 308)]
    assert api.post(f"{TASKS}{task.pk}/run", follow=True).status_code == 202
    assert api.get(f"{RUNS[:-1]}?page_size=5").headers["Location"] == f"{RUNS}?page_size=5"


def test_a_redirect_leads_nowhere_else():
    for path in ("/api/v1//evil.example", "/api/v1/\\evil.example", "/api/v1/x%0d%0aSet-Cookie:a"):
        location = Client().get(path).headers.get("Location", "/api/")
        assert location.startswith("/api/")
        assert "\n" not in location


@pytest.mark.parametrize(
    "address", [TASKS, RUNS, WORKERS, f"{RUNS}bulk/", "/api/v1/auth/token/", "{task}", "{task}run/"]
)
def test_asking_what_is_possible(quiet, task, address):
    answer = quiet.options(address.format(task=f"{TASKS}{task.pk}/"))
    assert answer.status_code == 200
    assert "OPTIONS" in answer["Allow"]


def test_what_does_not_exist_is_named_by_its_id(api, make_task):
    task = make_task(deleted_at=database_now())
    error = refused(api.post(f"/api/v1/tasks/{task.pk}/run/"), 404, "id", code="not_found")
    assert error["message"] == f"There is no task with the id {task.pk}."
