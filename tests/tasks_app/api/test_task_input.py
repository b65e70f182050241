"""Bad tasks are refused with a message at the field, and leave nothing behind."""

from typing import Any

import pytest

from tasks_app.models import Task
from tests.tasks_app.api.conftest import TASK, TASKS, refused, rows

pytestmark = pytest.mark.django_db

BAD: list[tuple[str, Any]] = [
    ("schedule", "not a cron"),
    ("schedule", "61 * * * *"),
    ("schedule", "* * * *"),
    ("schedule", "0 0 30 2 *"),
    ("schedule", "@every 0s"),
    ("schedule", "@every soon"),
    ("schedule", "@at yesterday"),
    ("schedule", "*" * 201),
    ("schedule", 5),
    ("schedule", None),
    ("timezone", "Mars/Olympus"),
    ("timezone", "../../etc/passwd"),
    ("timezone", ""),
    ("timezone", "x" * 65),
    ("executor", "teleport"),
    ("executor", ""),
    ("executor", "x" * 51),
    ("executor", ["shell"]),
    ("command", ""),
    ("command", "   \n "),
    ("command", None),
    ("command", 5),
    ("command", ["true"]),
    ("command", "x" * 1_048_576),
    ("name", ""),
    ("name", "   "),
    ("name", " padded "),
    ("name", "two\nlines"),
    ("name", "bell\x07"),
    ("name", "hidden\u200b"),
    ("name", "x" * 201),
    ("name", 5),
    ("name", True),
    ("name", None),
    ("name", {"a": 1}),
    ("description", "x" * 10_001),
    ("timeout_seconds", -1),
    ("timeout_seconds", 0),
    ("timeout_seconds", "NaN"),
    ("timeout_seconds", "Infinity"),
    ("timeout_seconds", True),
    ("timeout_seconds", 1e300),
    ("timeout_seconds", "soon"),
    ("max_attempts", "many"),
    ("max_attempts", 0),
    ("max_attempts", -1),
    ("max_attempts", 101),
    ("max_attempts", 1.5),
    ("max_attempts", True),
    ("max_attempts", None),
    ("max_attempts", 10**18),
    ("priority", 101),
    ("priority", -101),
    ("retry_delay_seconds", -1),
    ("retry_delay_seconds", "-inf"),
    ("retry_max_delay_seconds", "nan"),
    ("circuit", "on"),
    ("circuit", None),
    ("circuit_failures", 0),
    ("circuit_failures", 1001),
    ("circuit_failures", "many"),
    ("circuit_seconds", 0.5),
    ("circuit_seconds", 86_401),
    ("circuit_seconds", "inf"),
    ("status", "asleep"),
    ("status", ["active"]),
    ("strategy", "best"),
    ("strategy", {}),
    ("namespace", "nowhere"),
    ("namespace", 5),
    ("namespace", None),
    ("namespace", {"name": "default"}),
    ("namespace", ["default"]),
    ("config", "x"),
    ("config", []),
    ("config", None),
    ("worker_labels", "zone=eu"),
    ("worker_labels", {"zone": 1}),
    ("worker_labels", {"": "eu"}),
    ("worker_labels", {"zone": "x" * 64}),
    ("worker_labels", {"zo ne": "eu"}),
    ("comand", "true"),
    ("Name", "t"),
    ("non_field", 1),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=[f"{name}={str(value)[:20]!r}" for name, value in BAD])
def test_a_bad_field_is_named_and_nothing_is_stored(quiet, field, value):
    before = rows()
    error = refused(quiet.post(TASKS, {**TASK, field: value}), 400, field, "invalid")
    assert error["message"].startswith(f"{field}: ")
    assert rows() == before


@pytest.mark.parametrize(("field", "value"), BAD, ids=[f"{name}={str(value)[:20]!r}" for name, value in BAD])
def test_a_bad_field_is_refused_when_editing_too(quiet, task, field, value):
    before = Task.objects.values().get(pk=task.pk)
    refused(quiet.patch(f"{TASKS}{task.pk}/", {"description": "new", field: value}), 400, field)
    assert Task.objects.values().get(pk=task.pk) == before


@pytest.mark.parametrize(
    ("config", "field"),
    [({"no_such_key": 1}, "config.no_such_key"), ({"env": 5}, "config.env"), ({"env": {"A": 1}}, "config.env")],
)
def test_a_bad_config_is_named_with_its_key(quiet, config, field):
    before = rows()
    error = refused(quiet.post(TASKS, {**TASK, "config": config}), 400)
    assert any(name.startswith(field) for name in error["fields"]), error
    assert rows() == before


@pytest.mark.parametrize("left_out", ["name", "executor", "command"])
def test_what_is_missing_is_named(quiet, left_out):
    before = rows()
    refused(quiet.post(TASKS, {name: value for name, value in TASK.items() if name != left_out}), 400, left_out)
    assert rows() == before


def test_all_problems_are_told_at_once(quiet):
    error = refused(quiet.post(TASKS, {**TASK, "schedule": "x", "timezone": "UTC", "executor": "teleport"}), 400)
    assert {"schedule", "executor"} <= set(error["fields"])


def test_messages_say_what_is_possible(quiet):
    for field, value, known in [
        ("executor", "x", "shell"),
        ("status", "x", "paused"),
        ("strategy", "x", "round_robin"),
    ]:
        error = refused(quiet.post(TASKS, {**TASK, field: value}), 400, field)
        assert known in error["message"], error
    assert "command" in refused(quiet.post(TASKS, {**TASK, "comand": "x"}), 400, "comand")["message"]


def test_what_the_server_sets_is_not_taken_from_the_request(api):
    answer = api.post(TASKS, {**TASK, "id": 999_999, "created_at": "2000-01-01T00:00:00Z", "next_fire_at": None})
    assert answer.status_code == 201
    assert answer.json()["id"] != 999_999
    assert not answer.json()["created_at"].startswith("2000")


def test_a_config_that_no_message_could_carry(quiet):
    body = {"name": "t", "executor": "http", "command": "http://localhost/", "config": {"body": "x" * 600_000}}
    error = refused(quiet.post(TASKS, body), 400, "config")
    assert "512 KiB" in error["fields"]["config"][0]
