"""`POST tasks/{id}/run/`: one run for each trigger, or for each idempotency key."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tasks_app.models import TaskRun
from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, refused, rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def run_url(task):
    return f"{TASKS}{task.pk}/run/"


def test_a_trigger_is_accepted_and_stored(api, admin, task, run_url):
    answer = api.post(run_url, {"params": {"a": [1, {"ü": None}]}})
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["status"], body["attempt"], body["origin"], body["task"]) == ("pending", 1, "manual", task.pk)
    assert body["params"] == {"a": [1, {"ü": None}]}
    stored = TaskRun.objects.get()
    assert (str(stored.pk), stored.created_by) == (body["id"], admin)
    assert api.get(f"{RUNS}{body['id']}/").json()["params"] == body["params"]


@pytest.mark.parametrize("body", [None, {}, {"params": {}}, {"scheduled_for": None}])
def test_a_trigger_needs_nothing(api, run_url, body):
    assert api.post(run_url, body).status_code == 202


def test_a_trigger_without_content_type_as_curl_sends_it(api, run_url):
    assert api.generic("POST", run_url).status_code == 202
    assert api.generic("POST", run_url, b"", "application/x-www-form-urlencoded").status_code == 202


@pytest.mark.parametrize("text", ["2030-01-01T09:00:00Z", "2030-01-01T10:00:00+01:00", "2030-01-01T09:00"])
def test_a_trigger_for_later(api, run_url, text):
    body = api.post(run_url, {"scheduled_for": text}).json()
    assert body["scheduled_for"] == "2030-01-01T09:00:00Z"
    assert TaskRun.objects.get().available_at == datetime(2030, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"params": []}, "params"),
        ({"params": "x"}, "params"),
        ({"params": None}, "params"),
        ({"params": {"a": "x" * 20_000}}, "params"),
        ({"params": {"a": "ü" * 9_000}}, "params"),
        ({"scheduled_for": "soon"}, "scheduled_for"),
        ({"scheduled_for": 5}, "scheduled_for"),
        ({"scheduled_for": {}}, "scheduled_for"),
        ({"scheduled_for": "2030-02-30T00:00:00Z"}, "scheduled_for"),
        ({"scheduled_for": "9999-12-31T23:59:59-12:00"}, "scheduled_for"),
        ({"scheduled_for": "0001-01-01T00:00:00+12:00"}, "scheduled_for"),
        ({"parameters": {}}, "parameters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_trigger(quiet, run_url, body, field):
    before = rows()
    refused(quiet.post(run_url, body), 400, field)
    assert rows() == before


def test_the_same_key_gives_the_same_run(api, run_url):
    first = api.post(run_url, {"params": {"a": 1}}, headers={"Idempotency-Key": "k"})
    again = api.post(run_url, {"params": {"a": 1}}, headers={"Idempotency-Key": "k"})
    other = api.post(run_url, {"params": {"a": 1}}, headers={"Idempotency-Key": "l"})
    assert [answer.status_code for answer in (first, again, other)] == [202, 202, 202]
    assert first.json() == again.json()
    assert other.json()["id"] != first.json()["id"]
    assert TaskRun.objects.count() == 2


def test_a_key_belongs_to_its_task(api, make_task):
    urls = [f"{TASKS}{make_task(name).pk}/run/" for name in "ab"]
    ids = {api.post(url, headers={"Idempotency-Key": "k"}).json()["id"] for url in urls}
    assert len(ids) == 2


def test_the_same_key_with_other_params_is_a_conflict(quiet, run_url):
    quiet.post(run_url, {"params": {"a": 1}}, headers={"Idempotency-Key": "k"})
    answer = quiet.post(run_url, {"params": {"a": 2}}, headers={"Idempotency-Key": "k"})
    assert "“k”" in refused(answer, 409, code="conflict")["message"]
    assert TaskRun.objects.count() == 1


def test_a_key_that_is_too_long(quiet, run_url):
    refused(quiet.post(run_url, headers={"Idempotency-Key": "k" * 201}), 400, "Idempotency-Key")
    assert TaskRun.objects.count() == 0
    assert quiet.post(run_url, headers={"Idempotency-Key": "k" * 200}).status_code == 202


def test_an_empty_key_is_no_key(api, run_url):
    assert api.post(run_url, headers={"Idempotency-Key": ""}).json() != api.post(run_url).json()
    assert TaskRun.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_time(api):
    task = api.post(TASKS, TASK).json()["id"]

    def trigger(_: int) -> tuple[int, str]:
        client = APIClient()
        client.credentials(**api._credentials)
        try:
            answer = client.post(f"{TASKS}{task}/run/", headers={"Idempotency-Key": "k"})
            return answer.status_code, answer.json().get("id")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(trigger, range(24)))
    assert answers == {(202, str(TaskRun.objects.get().pk))}
