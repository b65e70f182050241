"""Workers over the REST API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.tasks_app.api.conftest import WORKERS, refused

pytestmark = pytest.mark.django_db

FIELDS = {"id", "name", "status", "last_heartbeat", "current_tasks", "max_tasks", "labels"}


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [worker["name"] for worker in answer.json()["results"]]


def test_list_and_detail(api, make_worker):
    worker = make_worker(labels={"zone": "eu"}, current_tasks=2)
    (listed,) = api.get(WORKERS).json()["results"]
    assert set(listed) >= FIELDS
    assert (listed["labels"], listed["current_tasks"], listed["max_tasks"]) == ({"zone": "eu"}, 2, 5)
    assert api.get(f"{WORKERS}{worker.pk}/").json() == listed


def test_old_incarnations_that_are_gone_are_not_shown(api, make_worker):
    make_worker("w", status="offline", superseded=True)
    make_worker("w")
    make_worker("gone", status="offline")
    assert names(api.get(WORKERS)) == ["gone", "w"]


@pytest.mark.parametrize(
    ("query", "found"), [("name=a", ["a"]), ("name=x", []), ("status=busy", ["b"]), ("status=online&name=b", [])]
)
def test_filters(api, make_worker, query, found):
    make_worker("a")
    make_worker("b", status="busy")
    assert names(api.get(f"{WORKERS}?{query}")) == found


@pytest.mark.parametrize(
    ("query", "field"), [("status=asleep", "status"), ("name=%00", "name"), ("cursor=x", "cursor")]
)
def test_garbage_in_filters(quiet, query, field):
    refused(quiet.get(f"{WORKERS}?{query}"), 400, field)


def test_drain_and_undrain(api, worker):
    for action, status, draining in [
        ("drain", "draining", True),
        ("drain", "draining", True),
        ("undrain", "online", False),
        ("undrain", "online", False),
    ]:
        answer = api.post(f"{WORKERS}{worker.pk}/{action}/")
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert (body["status"], body["draining"]) == (status, draining)
        assert api.get(f"{WORKERS}{worker.pk}/").json() == body


@pytest.mark.parametrize("action", ["drain", "undrain"])
def test_a_worker_that_is_gone(quiet, make_worker, action):
    worker = make_worker(status="offline")
    refused(quiet.post(f"{WORKERS}{worker.pk}/{action}/"), 409, code="conflict")


@pytest.mark.parametrize("pk", ["999999", "abc", "9" * 30])
@pytest.mark.parametrize(("method", "action"), [("get", ""), ("post", "drain/"), ("post", "undrain/")])
def test_no_such_worker(quiet, method, action, pk):
    error = refused(getattr(quiet, method)(f"{WORKERS}{pk}/{action}"), 404, code="not_found")
    assert error["message"] == f"There is no worker with the id {pk}."


@pytest.mark.parametrize(("method", "address"), [("post", WORKERS), ("patch", "{one}"), ("delete", "{one}")])
def test_workers_announce_themselves(quiet, worker, method, address):
    refused(getattr(quiet, method)(address.format(one=f"{WORKERS}{worker.pk}/"), {}), 405)


def test_a_list_takes_the_same_statements_however_long_it_is(api, make_worker):
    make_worker()
    with CaptureQueriesContext(connection) as few:
        api.get(WORKERS)
    for n in range(30):
        make_worker(f"w{n}")
    with CaptureQueriesContext(connection) as many:
        assert len(names(api.get(WORKERS))) == 31
    assert len(many) == len(few) <= 4
