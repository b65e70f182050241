"""Tasks over the REST API: create, read, edit, pause, delete."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access_app.models import Namespace
from tasks_app.clock import database_now
from tasks_app.models import Calendar, Pool, Task
from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, refused

pytestmark = pytest.mark.django_db

FULL = {
    "name": "Nightly – ünïcode 😀",
    "namespace": "team-b",
    "description": "Line one\nline two",
    "executor": "shell",
    "command": "  echo 'hello'\n",
    "config": {"env": {"A": "1"}},
    "schedule": "30 2 * * MON-FRI",
    "timezone": "Europe/Berlin",
    "dialect": "debian",
    "dst_gap": "skip",
    "dst_overlap": "both",
    "starts_at": "2026-01-01T00:00:00Z",
    "ends_at": "2036-01-01T00:00:00.500000Z",
    "every_nth": 3,
    "spread_seconds": 600,
    "schedules": [{"schedule": "@every 1h"}],
    "after_outage": "all",
    "after_resume": "last",
    "catch_up_seconds": 86400,
    "catch_up_runs": 1000,
    "calendar": "works",
    "on_closed": "skip",
    "status": "paused",
    "priority": -5,
    "timeout_seconds": 1.5,
    "max_attempts": 100,
    "retry_delay_seconds": 0.0,
    "retry_max_delay_seconds": 10.0,
    "delivery": "at_most_once",
    "circuit": "skip",
    "circuit_failures": 1000,
    "circuit_seconds": 1.5,
    "fan_out": "params.hosts",
    "fan_out_parallel": 3,
    "retry_on": [75, "500-599", "SIGKILL"],
    "never_retry_on": ["timeout", "signal"],
    "unique_key": "{host}",
    "unique_seconds": 60.0,
    "pause_after_failures": 3,
    "overlap": "queue",
    "max_parallel": 3,
    "max_queued": 0,
    "mutex": "deploy-{host}",
    "pools": {"database": 2},
    "rate_count": 5,
    "rate_seconds": 0.5,
    "rate_key": "mail-{to}",
    "labels": {"team": "billing"},
    "worker_labels": {"zone": "eu"},
    "excluded_labels": {"zone": "us"},
    "preferred_labels": {"disk": "ssd"},
    "strategy": "round_robin",
}
DEPENDS = {"depends_on", "depend_on", "trigger_rule", "inputs", "flow_timeout_seconds"}  # only with other tasks
SERVER_SETS = DEPENDS | {"id", "pause", "managed_by", "next_fire_at", "created_at", "updated_at"}


def test_every_field_comes_back_as_it_was_sent(api):
    Namespace.objects.create(name="team-b")
    Calendar.objects.create(name="works")
    Pool.objects.create(name="database", slots=5)
    created = api.post(TASKS, FULL)
    assert created.status_code == 201, created.content
    body = created.json()
    assert {name: body[name] for name in FULL} == FULL
    assert set(body) == set(FULL) | SERVER_SETS
    assert api.get(f"{TASKS}{body['id']}/").json() == body


def test_three_fields_are_enough(api):
    body = api.post(TASKS, TASK).json()
    assert body["namespace"] == "default"
    assert (body["status"], body["max_attempts"], body["schedule"], body["next_fire_at"]) == ("active", 1, "", None)


def test_a_scheduled_task_tells_when_it_fires(api):
    body = api.post(TASKS, {**TASK, "schedule": "* * * * *"}).json()
    at = Task.objects.get(pk=body["id"]).next_fire_at
    assert timedelta(0) < at - database_now() <= timedelta(minutes=1)
    assert body["next_fire_at"].endswith("Z")


def test_patch_changes_only_what_it_names(api, task):
    before = api.get(f"{TASKS}{task.pk}/").json()
    answer = api.patch(f"{TASKS}{task.pk}/", {"command": "false"})
    assert answer.status_code == 200
    after = api.get(f"{TASKS}{task.pk}/").json()
    assert after == answer.json()
    assert {name for name in after if after[name] != before[name]} == {"command", "updated_at"}


def test_what_put_reads_it_also_takes(api, task):
    body = api.get(f"{TASKS}{task.pk}/").json() | {"schedule": "@every 1h"}
    answer = api.put(f"{TASKS}{task.pk}/", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["schedule"] == "@every 1h"
    assert answer.json()["next_fire_at"]


def test_put_needs_the_whole_task(quiet, task):
    refused(quiet.put(f"{TASKS}{task.pk}/", {"command": "false"}), 400, "name")


def test_a_new_schedule_is_planned_at_once_and_removing_it_stops_it(api, task):
    assert api.patch(f"{TASKS}{task.pk}/", {"schedule": "@daily"}).json()["next_fire_at"]
    assert api.patch(f"{TASKS}{task.pk}/", {"schedule": ""}).json()["next_fire_at"] is None


def test_pause_and_resume(api, make_task):
    task = make_task(schedule="@every 1h")
    for action, status in [("pause", "paused"), ("pause", "paused"), ("resume", "active"), ("resume", "active")]:
        answer = api.post(f"{TASKS}{task.pk}/{action}/")
        assert answer.status_code == 200, answer.content
        assert answer.json()["status"] == status
        assert api.get(f"{TASKS}{task.pk}/").json()["status"] == status
    assert api.get(f"{TASKS}{task.pk}/").json()["next_fire_at"]


def test_delete_takes_the_task_away_and_keeps_its_history(quiet, task, make_run):
    done, pending, running = make_run("succeeded"), make_run("pending"), make_run("running")
    answer = quiet.delete(f"{TASKS}{task.pk}/")
    assert (answer.status_code, answer.content) == (204, b"")
    for method, action in [("get", ""), ("patch", ""), ("put", ""), ("delete", "")]:
        refused(getattr(quiet, method)(f"{TASKS}{task.pk}/{action}"), 404, code="not_found")
    for action in ("run", "pause", "resume"):
        refused(quiet.post(f"{TASKS}{task.pk}/{action}/"), 404)
    refused(quiet.get(f"{TASKS}{task.pk}/next-fires/"), 404)
    assert quiet.get(TASKS).json()["results"] == []
    for run, status in [(done, "succeeded"), (pending, "cancelled"), (running, "running")]:
        assert quiet.get(f"{RUNS}{run.pk}/").json()["status"] == status
    assert quiet.get(f"{RUNS}{running.pk}/").json()["cancel_requested_at"]


@pytest.mark.parametrize("pk", ["999999", "abc", "-1", "1e3", "9" * 30, "9" * 5000, "%00", "٣"])
@pytest.mark.parametrize(("method", "action"), [("get", ""), ("delete", ""), ("post", "run/"), ("post", "pause/")])
def test_no_such_task(quiet, method, action, pk):
    refused(getattr(quiet, method)(f"{TASKS}{pk}/{action}"), 404, code="not_found")


def test_the_message_for_a_missing_task_names_it(quiet):
    assert refused(quiet.get(f"{TASKS}999999/"), 404)["message"] == "There is no task with the id 999999."


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["c", "b", "a"]),
        ("?status=paused", ["b"]),
        ("?name=a", ["a"]),
        ("?namespace=team-b", ["c"]),
        ("?namespace=nowhere", []),
        ("?executor=http", ["c"]),
        ("?search=B", ["b"]),
        ("?search=%25", []),
        ("?status=active&executor=shell", ["a"]),
        ("?page_size=2", ["c", "b"]),
    ],
)
def test_filters(api, make_task, query, names):
    make_task("a")
    make_task("b", status="paused")
    make_task("c", namespace="team-b", executor="http")
    assert [task["name"] for task in api.get(TASKS + query).json()["results"]] == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=asleep", "status"),
        ("search=%00", "search"),
        ("name=%00", "name"),
        ("page_size=abc", "page_size"),
        ("page_size=0", "page_size"),
        ("page_size=-5", "page_size"),
        ("cursor=garbage", "cursor"),
        ("cursor=ä", "cursor"),
        ("cursor=cD1hYmM%3D", "cursor"),
        ("cursor=cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cursor"),
    ],
)
def test_garbage_in_filters(quiet, query, field):
    refused(quiet.get(f"{TASKS}?{query}"), 400, field)


def test_a_list_takes_the_same_statements_however_long_it_is(api, make_task):
    make_task("first")
    with CaptureQueriesContext(connection) as few:
        api.get(TASKS)
    for index in range(30):
        make_task(f"t{index}", namespace=f"n{index}")
    with CaptureQueriesContext(connection) as many:
        assert len(api.get(TASKS).json()["results"]) == 31
    assert len(many) == len(few) <= 4
