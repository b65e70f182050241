"""“Why is it not running?” over the REST API."""

from datetime import timedelta

import pytest

from tasks_app.clock import database_now
from tasks_app.models import Task
from tests.tasks_app.api.conftest import RUNS, TASKS, refused

pytestmark = pytest.mark.django_db


def test_a_pending_run(api, make_run):
    run = make_run("pending")
    answer = api.get(f"{RUNS}{run.pk}/explain/")
    assert answer.status_code == 200
    body = answer.json()
    assert body["summary"].startswith("It waits at the gate “worker labels”. No worker is online.")
    assert len(body["gates"]) == 13
    assert set(body["gates"][0]) == {"gate", "open", "value", "since", "opens"}


def test_a_run_that_is_over(api, make_run):
    run = make_run("succeeded")
    assert api.get(f"{RUNS}{run.pk}/explain/").json()["gates"] == []


def test_the_cost_is_bounded(api, make_run, django_assert_max_num_queries):
    run = make_run("pending")
    with django_assert_max_num_queries(20):
        api.get(f"{RUNS}{run.pk}/explain/")


def test_a_nominal_time(api, task):
    Task.objects.filter(pk=task.pk).update(schedule="0 0 * * *")
    address = f"{TASKS}{task.pk}/explain/"
    at = (database_now() + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    body = api.get(address, {"at": at}).json()
    assert "summary" in body
    refused(api.get(address), 400, "at")
    refused(api.get(address, {"at": "noon"}), 400, "at")
