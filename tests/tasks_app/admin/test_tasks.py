"""The admin pages of tasks."""

import re

import msgspec
import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

import executors
from executors.base import Spec
from tasks_app.models import Task, TaskRun
from tests.tasks_app.admin.helpers import CONFIRMED, TASKS, bulk, failed, pending, person, said, task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
FORM = {
    "name": "report",
    "executor": "shell",
    "command": "true",
    "config": "{}",
    "schedule": "0 5 * * *",
    "timezone": "Europe/Berlin",
    "dialect": "debian",
    "every_nth": "1",
    "spread_seconds": "0",
    "after_outage": "last",
    "after_resume": "none",
    "catch_up_runs": "100",
    "status": "active",
    "priority": "0",
    "max_attempts": "1",
    "retry_delay_seconds": "5",
    "retry_max_delay_seconds": "300",
    "on_closed": "skip",
    "delivery": "at_least_once",
    "circuit": "off",
    "circuit_failures": "5",
    "circuit_seconds": "30",
    "depend_on": "flow",
    "trigger_rule": "all_success",
    "overlap": "allow",
    "max_parallel": "1",
    "rate_seconds": "1",
    "worker_labels": "{}",
    "strategy": "least_loaded",
}


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


class Config(msgspec.Struct):
    note: str


def form(stored: Task, **changes: str) -> dict[str, str]:
    return {**FORM, "namespace": str(stored.namespace_id), **changes}


def errors(client: Client, stored: Task, **changes: str) -> dict[str, list[str]]:
    answer = client.post(f"{TASKS}add/", form(stored, **changes))
    assert answer.status_code == 200
    return {name: list(problems) for name, problems in answer.context["adminform"].form.errors.items()}


def test_the_list_shows_facts_with_a_bounded_number_of_queries(client, django_assert_max_num_queries):
    for number in range(12):
        failed(task(f"t{number}", schedule="*/5 * * * *"))
    with django_assert_max_num_queries(12):
        page = client.get(TASKS).content.decode()
    assert "Every 5 minutes" in page
    assert len(re.findall(r"\bfailed\b\s*</span>", page)) == 12


def test_an_empty_list_says_what_to_do(client):
    assert "A task says what should run" in client.get(TASKS).content.decode()
    assert "A task says what should run" not in client.get(f"{TASKS}?q=x").content.decode()


@pytest.mark.parametrize("query", ["?q=back", "?status=active", "?executor=shell", "?o=-7", "?namespace__id__exact=1"])
def test_filters_search_and_order_work(client, query):
    task("backup", schedule="@daily")
    assert "backup" in client.get(TASKS + query).content.decode()


def test_saving_plans_the_task(client):
    other = task("other")
    assert client.post(f"{TASKS}add/", form(other)).status_code == 302
    assert Task.objects.get(name="report").next_fire_at is not None


def test_an_edit_plans_it_anew(client):
    stored = task(schedule="@daily")
    client.post(f"{TASKS}{stored.pk}/change/", form(stored, schedule="@every 10s"))
    before = stored.next_fire_at
    stored.refresh_from_db()
    assert (stored.name, stored.next_fire_at < before) == ("report", True)


def test_line_ends_of_a_command_are_those_of_a_shell(client):
    client.post(f"{TASKS}add/", form(task(), command="echo a\r\necho b"))
    assert Task.objects.get(name="report").command == "echo a\necho b"


def test_empty_json_fields_are_empty(client):
    client.post(f"{TASKS}add/", form(task(), config="", worker_labels="", schedules=""))
    stored = Task.objects.get(name="report")
    assert (stored.config, stored.worker_labels, stored.schedules) == ({}, {}, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schedule", "61 * * * *"),
        ("timezone", "Europe/Nowhere"),
        ("dialect", "unix"),
        ("every_nth", "0"),
        ("spread_seconds", "-1"),
        ("after_outage", "some"),
        ("catch_up_runs", "0"),
        ("catch_up_seconds", "0"),
        ("schedules", "{"),
        ("schedules", '[{"schedule": "@dayly"}]'),
        ("executor", "nothing"),
        ("worker_labels", "[]"),
        ("config", "{"),
        ("config", "[1]"),
        ("max_attempts", "0"),
        ("name", " \x01"),
        ("command", ""),
    ],
)
def test_an_error_is_shown_at_its_field(client, field, value):
    assert list(errors(client, task(), **{field: value})) == [field]


def test_an_error_in_a_part_of_config_is_shown_at_config(client, monkeypatch):
    spec = Spec("shell", Config, "", lambda command, config: None)
    stored = task()
    monkeypatch.setattr(executors, "spec", lambda name: spec)
    found = errors(client, stored, config='{"note": 1}')
    assert list(found) == ["config"]
    assert found["config"][0].startswith("note: ")


def test_a_name_is_unique_among_tasks_that_exist(client):
    stored = task("report")
    assert "exists already" in str(errors(client, stored))
    client.post(f"{TASKS}{stored.pk}/delete/", {"post": "yes"})
    assert client.post(f"{TASKS}add/", form(stored)).status_code == 302


def test_the_page_shows_the_next_fires_in_local_time(client, django_assert_max_num_queries):
    stored = task(schedule="30 2 * * *", timezone="Asia/Tokyo")
    with django_assert_max_num_queries(17):
        page = client.get(f"{TASKS}{stored.pk}/change/").content.decode()
    assert page.count("02:30:00 JST") == 10
    assert page.count("17:30:00</time>") == 10
    assert f"/admin/tasks_app/taskrun/?task={stored.pk}" in page


PREVIEW = f"{TASKS}preview/"


def test_a_form_that_is_not_saved_shows_its_fires(client):
    unsaved = form(task(), name="", command="", schedule="30 2 * * *", timezone="Asia/Tokyo", dst_gap="skip")
    page = client.post(PREVIEW, unsaved).content.decode()
    assert page.count("02:30:00 JST") == 10
    assert "At 02:30" in page
    assert "在 02:30" in page
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("schedule", "61 * * * *", "minute field"),
        ("schedule", "0 0 30 2 *", "never fires"),
        ("timezone", "Europe/Berln", "did you mean Europe/Berlin"),
        ("dialect", "unix", "Select a valid choice"),
        ("starts_at_0", "soon", "Enter a valid date"),
        ("every_nth", "2", "counted from a start"),
        ("schedules", "{", "valid JSON"),
        ("schedules", '[{"schedule": "@<b>"}]', "&lt;b&gt;"),
    ],
)
def test_a_form_that_cannot_be_used_says_why(client, field, value, said):
    page = client.post(PREVIEW, form(task(), **{field: value})).content.decode()
    assert said in page
    assert "<strong>" in page
    assert "<table" not in page


def test_who_may_not_edit_tasks_sees_no_preview():
    unsaved = form(task())
    assert person("tasks_app.view_task").post(PREVIEW, unsaved).status_code == 403
    assert person("tasks_app.view_task", "tasks_app.change_task").post(PREVIEW, unsaved).status_code == 200
    assert person("tasks_app.view_task", "tasks_app.add_task").post(PREVIEW, unsaved).status_code == 200
    assert Client().post(PREVIEW, unsaved).status_code == 302


def test_delete_keeps_the_row_and_cancels_open_runs(client):
    stored = task()
    run = pending(stored)
    assert "history stays" in client.get(f"{TASKS}{stored.pk}/delete/").content.decode()
    client.post(f"{TASKS}{stored.pk}/delete/", {"post": "yes"})
    stored.refresh_from_db()
    run.refresh_from_db()
    assert stored.deleted_at is not None
    assert run.status == "cancelled"
    assert client.get(f"{TASKS}{stored.pk}/change/").status_code == 302


def test_bulk_delete_is_soft_too(client):
    stored = [task("a"), task("b")]
    data = {"action": "delete_selected", "_selected_action": [str(each.pk) for each in stored]}
    assert "history stays" in client.post(TASKS, data).content.decode()
    client.post(TASKS, {**data, "post": "yes"})
    assert Task.objects.exclude(deleted_at=None).count() == 2


def test_run_now_makes_a_run_with_its_parameters(client, admin):
    stored = task()
    assert client.get(f"{TASKS}{stored.pk}/run_now/").status_code == 200
    assert TaskRun.objects.count() == 0, "a GET changes nothing"
    answer = client.post(f"{TASKS}{stored.pk}/run_now/", {**CONFIRMED, "params": '{"name": "Ada"}'})
    run = TaskRun.objects.get()
    assert (run.params, run.created_by, run.origin) == ({"name": "Ada"}, admin, "manual")
    assert str(run.pk) in said(answer)


@pytest.mark.parametrize("params", ["[1]", "{", '{"a": "' + "x" * 20_000 + '"}'])
def test_run_now_refuses_other_parameters(client, params):
    answer = client.post(f"{TASKS}{task().pk}/run_now/", {**CONFIRMED, "params": params})
    assert answer.context["form"].errors["params"]
    assert TaskRun.objects.count() == 0


def test_a_dialog_sends_the_browser_on(client):
    stored = task()
    answer = client.post(f"{TASKS}{stored.pk}/pause/", CONFIRMED, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"{TASKS}{stored.pk}/change/"


def test_pause_and_resume(client):
    stored = task(schedule="@daily")
    assert said(client.post(f"{TASKS}{stored.pk}/pause/", CONFIRMED)) == "1 task paused."
    assert "It is paused" in client.get(f"{TASKS}{stored.pk}/change/").content.decode()
    answer = client.post(f"{TASKS}{stored.pk}/pause/", CONFIRMED)
    assert said(answer) == "0 tasks paused. 1 had been paused already."
    assert "waits until" in said(client.post(f"{TASKS}{stored.pk}/run_now/", CONFIRMED))
    assert said(client.post(f"{TASKS}{stored.pk}/resume/", CONFIRMED)) == "1 task resumed."
    stored.refresh_from_db()
    assert stored.status == "active"
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == ["Paused.", "Resumed."]


def test_bulk_actions_say_how_many(client):
    tasks = [task("a"), task("b"), task("c", status="paused")]
    assert bulk(client, TASKS, "run_selected", *tasks).startswith("Made 3 runs. | Paused, so their runs wait")
    assert bulk(client, TASKS, "pause_selected", *tasks) == "2 tasks paused. 1 had been paused already."
    assert bulk(client, TASKS, "resume_selected", *tasks) == "3 tasks resumed."


def test_actions_on_a_task_that_is_gone_say_so(client):
    for name in ("run_now", "pause", "resume"):
        assert "doesn’t exist" in said(client.post(f"{TASKS}99/{name}/", CONFIRMED))
        assert client.post(f"{TASKS}x/{name}/", CONFIRMED).status_code == 302


def test_who_may_only_look_sees_no_actions_and_cannot_run_them():
    stored = task()
    reader = person("tasks_app.view_task")
    page = reader.get(f"{TASKS}{stored.pk}/change/").content.decode()
    assert "Next fires" in page
    assert not any(f"/{name}/" in page for name in ("run_now", "pause", "resume"))
    assert "run_selected" not in reader.get(TASKS).content.decode()
    for name in ("run_now", "pause", "resume"):
        assert reader.post(f"{TASKS}{stored.pk}/{name}/", CONFIRMED).status_code == 403
    assert "Made" not in bulk(reader, TASKS, "run_selected", stored)
    assert TaskRun.objects.count() == 0


def test_each_permission_opens_its_own_actions():
    stored = task()
    starter = person("tasks_app.view_task", "tasks_app.add_taskrun")
    assert starter.post(f"{TASKS}{stored.pk}/run_now/", CONFIRMED).status_code == 302
    assert starter.post(f"{TASKS}{stored.pk}/pause/", CONFIRMED).status_code == 403
    page = starter.get(f"{TASKS}{stored.pk}/change/").content.decode()
    assert "/run_now/" in page
    assert "/pause/" not in page


def managed() -> Task:
    stored = task("of a file")
    Task.objects.filter(pk=stored.pk).update(managed_by="tasks")
    return stored


def test_a_managed_task_can_be_looked_at_and_paused_but_not_changed(client):
    stored = managed()
    page = client.get(f"{TASKS}{stored.pk}/change/").content.decode()
    assert "take_over" in page
    assert 'name="command"' not in page
    client.post(f"{TASKS}{stored.pk}/change/", form(stored, command="false", status="paused"))
    stored.refresh_from_db()
    assert (stored.command, stored.status, stored.managed_by) == ("true", "paused", "tasks")
    client.post(f"{TASKS}{stored.pk}/delete/", {"post": "yes"})
    client.post(TASKS, {"action": "delete_selected", "_selected_action": [str(stored.pk)], "post": "yes"})
    stored.refresh_from_db()
    assert stored.deleted_at is None


def test_a_managed_task_is_taken_over(client):
    stored = managed()
    assert "Taken over from “tasks”" in said(client.post(f"{TASKS}{stored.pk}/take_over/", CONFIRMED))
    assert 'name="command"' in client.get(f"{TASKS}{stored.pk}/change/").content.decode()
    assert "take_over" not in client.get(f"{TASKS}{stored.pk}/change/").content.decode()
