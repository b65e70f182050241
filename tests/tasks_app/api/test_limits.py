"""Too many runs: 429, with what the limit is and when to come again; nothing is half-done."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access_app.models import Namespace
from tasks_app.models import TaskRun
from tests.tasks_app.api.conftest import RUNS, TASKS, refused
from workers_app.events import events

pytestmark = pytest.mark.django_db

BULK = f"{RUNS}bulk/"


@pytest.fixture
def limited(make_task: Callable[..., Any]) -> Callable[..., str]:
    """Makes a task in a namespace with these limits; returns the address that triggers it."""

    def make(name: str = "team-a", **values: int) -> str:
        Namespace.objects.create(name=name, **values)
        return f"{TASKS}{make_task(namespace=name).pk}/run/"

    return make


def too_many(answer: Any) -> dict[str, Any]:
    error = refused(answer, 429, code="too_many_requests")
    assert int(answer["Retry-After"]) >= 1
    return error


def test_a_namespace_is_full(quiet, limited):
    run_url = limited(max_pending=2)
    assert [quiet.post(run_url).status_code for _ in range(2)] == [202, 202]
    before = events["limit_namespace_pending"]
    error = too_many(quiet.post(run_url))
    assert "“team-a”" in error["message"]
    assert "at most 2 pending" in error["message"]
    assert TaskRun.objects.count() == 2
    assert events["limit_namespace_pending"] == before + 1


def test_the_others_go_on(quiet, limited, task):
    run_url = limited(max_pending=1)
    quiet.post(run_url)
    too_many(quiet.post(run_url))
    assert quiet.post(f"{TASKS}{task.pk}/run/").status_code == 202


def test_a_namespace_triggers_too_fast(quiet, limited):
    run_url = limited(max_triggers_per_minute=60)
    statuses = [quiet.post(run_url).status_code for _ in range(15)]
    assert statuses[:10] == [202] * 10
    assert set(statuses[10:]) <= {202, 429}
    assert "60 runs a minute" in too_many(quiet.post(run_url))["message"]
    assert TaskRun.objects.count() == statuses.count(202)


def test_a_bulk_is_made_whole_or_not_at_all(quiet, limited, task):
    pk = int(limited(max_pending=3).split("/")[-3])
    mixed = [{"task": task.pk}, *[{"task": pk}] * 4]
    too_many(quiet.post(BULK, mixed))
    assert TaskRun.objects.count() == 0
    assert quiet.post(BULK, mixed[:4]).status_code == 202
    assert TaskRun.objects.count() == 4


def test_all_pending_runs_together(quiet, task, settings):
    settings.MAX_PENDING = 1
    assert quiet.post(f"{TASKS}{task.pk}/run/").status_code == 202
    assert "MAX_PENDING" in too_many(quiet.post(f"{TASKS}{task.pk}/run/"))["message"]
    too_many(quiet.post(BULK, [{"task": task.pk}]))


def test_a_retry_is_a_run_as_well(quiet, make_run, settings):
    settings.MAX_PENDING = 0
    run = make_run("failed")
    too_many(quiet.post(f"{RUNS}{run.pk}/retry/"))
    assert TaskRun.objects.count() == 1


def test_what_is_limited_is_only_what_makes_runs(quiet, task, settings):
    settings.MAX_PENDING = 0
    assert quiet.get(TASKS).status_code == 200
    assert quiet.post(f"{TASKS}{task.pk}/pause/").status_code == 200


def test_a_trigger_costs_no_more_statements_than_without_limits(api, task):
    run_url = f"{TASKS}{task.pk}/run/"
    api.post(run_url)
    with CaptureQueriesContext(connection) as queries:
        assert api.post(run_url).status_code == 202
    assert [query["sql"] for query in queries if "max_pending" in query["sql"]] == []
    assert sum("access_app_namespace" in query["sql"] for query in queries) == 0
