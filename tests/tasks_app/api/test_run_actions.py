"""Cancel and retry over the REST API."""

import pytest

from tasks_app.models import FINAL, TaskRun
from tests.tasks_app.api.conftest import RUNS, TASKS, refused, rows

pytestmark = pytest.mark.django_db


def test_a_pending_run_is_cancelled_at_once(api, make_run):
    run = make_run("pending")
    answer = api.post(f"{RUNS}{run.pk}/cancel/")
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["status"], body["reason"]) == ("cancelled", "cancelled")
    assert body["completed_at"]
    refused(api.post(f"{RUNS}{run.pk}/cancel/"), 409, code="conflict")


@pytest.mark.parametrize("status", ["assigned", "running"])
def test_an_active_run_is_asked_to_end(api, make_run, worker, status):
    run = make_run(status, worker=worker)
    first = api.post(f"{RUNS}{run.pk}/cancel/")
    assert first.status_code == 202
    assert first.json()["status"] == status
    assert first.json()["cancel_requested_at"]
    again = api.post(f"{RUNS}{run.pk}/cancel/")
    assert (again.status_code, again.json()) == (202, first.json())


@pytest.mark.parametrize("status", FINAL)
def test_final_is_final(quiet, make_run, status):
    run = make_run(status)
    before = TaskRun.objects.values().get(pk=run.pk)
    assert status in refused(quiet.post(f"{RUNS}{run.pk}/cancel/"), 409, code="conflict")["message"]
    assert TaskRun.objects.values().get(pk=run.pk) == before


@pytest.mark.parametrize("status", FINAL)
def test_a_retry_is_a_new_run_that_points_at_the_old_one(api, admin, make_run, status):
    run = make_run(status, params={"a": 1})
    before = TaskRun.objects.values().get(pk=run.pk)
    answer = api.post(f"{RUNS}{run.pk}/retry/")
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert body["id"] != str(run.pk)
    assert (body["status"], body["attempt"], body["origin"]) == ("pending", 1, "retry")
    assert (body["retry_of"], body["params"]) == (str(run.pk), {"a": 1})
    assert TaskRun.objects.get(pk=body["id"]).created_by == admin
    assert TaskRun.objects.values().get(pk=run.pk) == before


@pytest.mark.parametrize("status", ["pending", "assigned", "running"])
def test_no_retry_before_the_end(quiet, make_run, status):
    run = make_run(status)
    before = rows()
    assert status in refused(quiet.post(f"{RUNS}{run.pk}/retry/"), 409, code="conflict")["message"]
    assert rows() == before


def test_no_retry_of_a_deleted_task(quiet, task, make_run):
    run = make_run("failed")
    quiet.delete(f"{TASKS}{task.pk}/")
    refused(quiet.post(f"{RUNS}{run.pk}/retry/"), 409, code="conflict")


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_looking_does_nothing(quiet, make_run, action):
    run = make_run("pending")
    refused(quiet.get(f"{RUNS}{run.pk}/{action}/"), 405, code="method_not_allowed")
