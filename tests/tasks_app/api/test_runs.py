"""Runs over the REST API: lists, filters, paging, detail."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_app.clock import database_now
from tasks_app.models import RunAttempt, TaskRun, run_of
from tests.tasks_app.api.conftest import RUNS, refused

pytestmark = pytest.mark.django_db

FIELDS = {
    "id", "task", "attempt", "status", "reason", "worker", "scheduled_for", "created_at", "assigned_at", "started_at",
    "completed_at", "exit_code", "result", "error",
}  # fmt: skip


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [run["id"] for run in answer.json()["results"]]


def test_detail(api, make_run, worker):
    run = make_run("failed", worker=worker, exit_code=3, error="It broke.", reason="error", attempt=2, result={"a": 1})
    now = database_now()
    RunAttempt.objects.create(run=run, attempt=1, worker=worker, reason="error", assigned_at=now, completed_at=now)
    RunAttempt.objects.create(run=run, attempt=2, reason="worker_lost", assigned_at=now, completed_at=now)
    body = api.get(f"{RUNS}{run.pk}/").json()
    assert set(body) >= FIELDS | {"attempts"}
    assert (body["status"], body["worker"], body["exit_code"], body["result"]) == ("failed", "w", 3, {"a": 1})
    assert [(a["attempt"], a["worker"], a["reason"]) for a in body["attempts"]] == [
        (1, "w", "error"),
        (2, None, "worker_lost"),
    ]


def test_detail_takes_few_statements_however_many_attempts(api, make_run, make_worker):
    run, now = make_run("failed"), database_now()
    for n in range(1, 21):
        worker = make_worker(f"w{n}")
        RunAttempt.objects.create(run=run, attempt=n, worker=worker, reason="error", assigned_at=now, completed_at=now)
    with CaptureQueriesContext(connection) as statements:
        assert len(api.get(f"{RUNS}{run.pk}/").json()["attempts"]) == 20
    assert len(statements) <= 6


@pytest.mark.parametrize(
    "pk", ["00000000-0000-0000-0000-000000000000", "-" * 36, "0" * 32, "abc", "5", "%00", "g" * 32]
)
@pytest.mark.parametrize(
    ("method", "action"),
    [("get", ""), ("post", "cancel/"), ("post", "retry/"), ("get", "logs/"), ("get", "logs/stream/")],
)
def test_no_such_run(quiet, pk, method, action):
    refused(getattr(quiet, method)(f"{RUNS}{pk}/{action}"), 404, code="not_found")


def test_newest_first_without_gap_or_double_while_rows_are_added(api, task, make_run):
    now = database_now()
    for _ in range(120):
        make_run()
    stored = [str(pk) for pk in TaskRun.objects.order_by("-id").values_list("pk", flat=True)]
    page, seen = f"{RUNS}?page_size=50", []
    while page:
        answer = api.get(page)
        seen += ids(answer)
        run_of(task, now=now).save(force_insert=True)
        page = answer.json()["next"]
    assert seen == stored


def test_back_again(api, make_run):
    for _ in range(15):
        make_run()
    first = api.get(f"{RUNS}?page_size=10")
    second = api.get(first.json()["next"])
    assert len(ids(second)) == 5
    assert second.json()["next"] is None
    assert ids(api.get(second.json()["previous"])) == ids(first)


@pytest.mark.parametrize(("size", "count"), [("", 50), ("?page_size=3", 3), ("?page_size=9999", 60)])
def test_page_size(api, make_run, size, count):
    for _ in range(60):
        make_run()
    assert len(ids(api.get(RUNS + size))) == count


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("task={task}", "pending running"),
        ("task={other}", "failed"),
        ("task=999999", ""),
        ("status=pending", "pending"),
        ("status=pending&status=failed", "pending failed"),
        ("status=skipped", ""),
        ("worker=w", "running"),
        ("worker=nobody", ""),
        ("since=2026-01-02T00:00:00Z", "running failed"),
        ("since=2026-01-02", "running failed"),
        ("until=2026-01-02T00:00:00Z", "pending"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z", "running"),
        ("since=2026-01-03T01:00:00%2B01:00", "failed"),
        ("task={task}&status=running&worker=w", "running"),
    ],
)
def test_filters(api, task, make_task, make_run, worker, query, found):
    other = make_task("other")
    day = datetime(2026, 1, 1, tzinfo=UTC)
    runs = {
        "pending": make_run("pending", created_at=day),
        "running": make_run("running", created_at=day + timedelta(days=1), worker=worker),
        "failed": make_run("failed", created_at=day + timedelta(days=2), task=other),
    }
    answer = api.get(f"{RUNS}?{query.format(task=task.pk, other=other.pk)}")
    assert set(ids(answer)) == {str(runs[name].pk) for name in found.split()}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("task=abc", "task"),
        ("task=1.5", "task"),
        ("task=NaN", "task"),
        ("task=" + "9" * 30, "task"),
        ("task=-1", "task"),
        ("status=asleep", "status"),
        ("status=pending&status=x", "status"),
        ("since=yesterday", "since"),
        ("until=5", "until"),
        ("since=2026-02-30T00:00:00Z", "since"),
        ("since=9999-12-31T23:59:59-12:00", "since"),
        ("until=0001-01-01T00:00:00%2B12:00", "until"),
        ("worker=%00", "worker"),
        ("cursor=garbage", "cursor"),
        ("cursor=cD1hYmM%3D", "cursor"),
        ("page_size=x", "page_size"),
    ],
)
def test_garbage_in_filters(quiet, query, field):
    refused(quiet.get(f"{RUNS}?{query}"), 400, field)


def test_a_list_takes_the_same_statements_however_long_it_is(api, make_task, make_run, make_worker):
    make_run("running", worker=make_worker("first"))
    with CaptureQueriesContext(connection) as few:
        api.get(RUNS)
    for n in range(30):
        make_run("running", worker=make_worker(f"w{n}"), task=make_task(f"t{n}"))
    with CaptureQueriesContext(connection) as many:
        assert len(ids(api.get(RUNS))) == 31
    assert len(many) == len(few) <= 4


@pytest.mark.parametrize(
    ("method", "address"), [("post", RUNS), ("put", "{run}"), ("patch", "{run}"), ("delete", "{run}")]
)
def test_runs_are_only_made_by_triggers(quiet, make_run, method, address):
    run = make_run()
    answer = getattr(quiet, method)(address.format(run=f"{RUNS}{run.pk}/"), {})
    refused(answer, 405, code="method_not_allowed")
    assert "GET" in answer["Allow"]
