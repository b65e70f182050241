"""`manage.py apply` and `export`: a readable difference, then all of it or nothing."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import connection

from access_app.models import Namespace
from tasks_app import actions
from tasks_app.clock import database_now
from tasks_app.manifest.changes import compare
from tasks_app.manifest.reading import ManifestError, read
from tasks_app.models import Task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
TWO = """
tasks:
  - name: nightly
    executor: shell
    command: |
      set -e
      echo one
    schedule: 30 2 * * MON-FRI
    timezone: Europe/Berlin
    starts_at: 2026-01-01T00:00:00Z
    schedules: [{schedule: "@every 1h", ends_at: "2027-01-01T00:00:00Z"}]
  - {name: ping, executor: http, command: "https://example.com/", namespace: team-b, max_attempts: 3}
"""


@pytest.fixture(autouse=True)
def team_b(db: None) -> Namespace:
    return Namespace.objects.create(name="team-b")


@pytest.fixture
def apply(tmp_path: Path) -> Any:
    def call(text: str, *options: str) -> str:
        file = tmp_path / "tasks.yaml"
        file.write_text(text)
        out = io.StringIO()
        call_command("apply", str(file), *options, stdout=out, no_color=True)
        return out.getvalue()

    return call


def export(*options: str) -> str:
    out = io.StringIO()
    call_command("export", *options, stdout=out)
    return out.getvalue()


def names() -> list[str]:
    return sorted(Task.objects.filter(deleted_at=None).values_list("name", flat=True))


def test_a_plan_changes_nothing(apply):
    assert (
        apply(TWO, "--plan")
        == "+ default/nightly\n+ team-b/ping\n2 to create, 0 to change, 0 to delete, 0 unchanged.\n"
    )
    assert names() == []


def test_tasks_are_made_as_over_the_api(apply, api):
    assert apply(TWO).endswith("\nDone.\n")
    nightly = Task.objects.get(name="nightly")
    assert nightly.command == "set -e\necho one\n"
    assert nightly.next_fire_at > database_now()
    assert (nightly.managed_by, nightly.namespace.name, nightly.starts_at.isoformat()) == (
        "tasks",
        "default",
        "2026-01-01T00:00:00+00:00",
    )
    assert Task.objects.get(name="ping").target == "host:example.com:443"
    assert api.get(f"/api/v1/tasks/{nightly.pk}/").json()["managed_by"] == "tasks"


def test_again_there_is_nothing_to_do(apply):
    apply(TWO)
    stamps = list(Task.objects.values_list("updated_at"))
    assert apply(TWO) == "0 to create, 0 to change, 0 to delete, 2 unchanged.\nNothing to do.\n"
    assert list(Task.objects.values_list("updated_at")) == stamps


def test_a_change_is_shown_by_field_and_planned_anew(apply):
    apply(TWO)
    before = Task.objects.get(name="nightly").next_fire_at
    said = apply(TWO.replace("30 2 * * MON-FRI", '"* * * * * *"').replace("max_attempts: 3", "timeout_seconds: 2.5"))
    assert said.splitlines() == [
        "~ default/nightly",
        "    schedule: 30 2 * * MON-FRI → '* * * * * *'",
        "~ team-b/ping",
        "    timeout_seconds: null → 2.5",
        "    max_attempts: 3 → 1",
        "0 to create, 2 to change, 0 to delete, 0 unchanged.",
        "Done.",
    ]
    nightly = Task.objects.get(name="nightly")
    assert nightly.next_fire_at < before
    assert nightly.former_plans.count() == 1


def test_what_a_file_no_longer_names_goes_only_on_demand(apply):
    actions.save(Task(name="of people", executor="shell", command="true"), database_now())
    apply(TWO)
    apply("tasks: [{name: other, executor: shell, command: 'true'}]", "--source", "other file")
    one = TWO[: TWO.index("  - {name: ping")]
    assert "0 to delete, 1 unchanged" in apply(one)
    assert "- team-b/ping\n" in apply(one, "--prune", "--plan")
    assert names() == ["nightly", "of people", "other", "ping"]
    assert "- team-b/ping\n" in apply(one, "--prune")
    assert names() == ["nightly", "of people", "other"]


def test_a_task_of_people_becomes_the_files(apply):
    task = Task(name="nightly", executor="shell", command="true")
    actions.save(task, database_now())
    assert "    managed_by: '' → tasks\n" in apply(TWO)
    assert Task.objects.get(name="nightly").pk == task.pk


def test_whether_it_is_paused_is_left_to_those_who_operate_it(apply):
    apply(TWO)
    actions.pause(Task.objects.get(name="nightly"), database_now())
    assert "2 unchanged" in apply(TWO)
    assert Task.objects.get(name="nightly").status == "paused"


def test_a_namespace_for_all(apply):
    apply("namespace: team-b\ntasks:\n- {name: a, executor: shell, command: 'true'}")
    assert Task.objects.get().namespace.name == "team-b"


REFUSED = [
    ("tasks: [", "no YAML that can be read"),
    ("- a", "must be a mapping with “tasks”"),
    ("tasks: {}", "must be a mapping with “tasks”"),
    ("tasks: []\nversion: 2", "version: There is no such key"),
    ("tasks: [a]", "task 1: This must be a mapping"),
    ("tasks: [{executor: shell}]", "task 1: name: This field cannot be blank."),
    ("tasks: [{executor: shell}]", "task 1: command: This field cannot be blank."),
    ("tasks: [{name: a, executor: shell, command: x, comand: y}]", "a: comand: There is no such field"),
    ("tasks: [{name: a, executor: shell, command: x, status: paused}]", "a: status: There is no such field"),
    ("tasks: [{name: a, executor: shell, command: x, namespace: no}]", "There is no namespace “False”"),
    ("tasks: [{name: a, executor: shell, command: x, namespace: nowhere}]", "There is no namespace “nowhere”"),
    ("tasks: [{name: a, executor: shell, command: x, schedule: 61 * * * *}]", "a: schedule: The minute field"),
    ("tasks: [{name: a, executor: shell, command: x, max_attempts: many}]", "a: max_attempts: “many” value must be"),
    ("tasks: [{name: a, executor: nothing, command: x}]", "a: executor: "),
    ("tasks: [{name: a, executor: shell, command: x, config: {x: 1}}]", "a: config"),
    ("tasks: [{name: a, name: b, executor: shell, command: x}]", "“name” comes 2 times"),
    ("tasks:\n- &a {name: a, executor: shell, command: x}\n- *a", "a: This name comes more than once"),
    ("tasks: [{name: a, executor: !!python/object/apply:os.system [true], command: x}]", "no YAML that can be read"),
    ("tasks: [{name: a, executor: shell, command: x, schedules: [{schedule: '@dayly'}]}]", "1: schedule: Unknown"),
    ("tasks: [{name: a, executor: shell, command: x, worker_labels: 5}]", "a: worker_labels: Labels are an object"),
    ("tasks: [{name: a, executor: shell, command: x, starts_at: soon}]", "a: starts_at: “soon” value has an invalid"),
    ("tasks: [{name: 5, executor: [shell], command: {a: b}}]", "executor"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=lambda value: value[:60])
def test_a_file_that_cannot_be_used(apply, text, message):
    with pytest.raises(CommandError) as caught:
        apply(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("Nothing was changed.")
    assert names() == []


def test_all_mistakes_are_said_at_once():
    with pytest.raises(ManifestError) as caught:
        read("tasks: [{name: a, executor: shell, command: x, schedule: '61 * * * *', priority: 1000}, {name: b}]")
    places = [problem.split(": ")[:2] for problem in caught.value.problems]
    assert places == [["a", "priority"], ["b", "executor"], ["b", "command"]]


def test_one_that_cannot_be_stored_leaves_nothing_half_done(apply, monkeypatch):
    apply(TWO)
    ordinary = actions.save

    def save(task: Task, now: Any, **how: Any) -> None:
        if task.name == "ping":
            raise actions.NotPossible("The task has been deleted.")
        ordinary(task, now, **how)

    monkeypatch.setattr(actions, "save", save)
    text = TWO.replace("echo one", "echo two").replace("max_attempts: 3", "max_attempts: 4")
    with pytest.raises(CommandError, match="Nothing was changed"):
        apply(text + "  - {name: new, executor: shell, command: 'true'}\n")
    assert names() == ["nightly", "ping"]
    assert "one" in Task.objects.get(name="nightly").command


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply", str(tmp_path / "nothing.yaml"))
    with pytest.raises(CommandError, match="say --source"):
        call_command("apply", "-")


def test_what_is_exported_makes_the_same_tasks(apply):
    apply(TWO)
    text = export()
    assert "command: |\n" in text
    document = yaml.safe_load(text)
    assert [entry["name"] for entry in document["tasks"]] == ["nightly", "ping"]
    assert document["tasks"][1] == {
        "name": "ping",
        "namespace": "team-b",
        "executor": "http",
        "command": "https://example.com/",
        "max_attempts": 3,
    }
    assert "2 unchanged" in apply(text)
    Task.objects.all().delete()
    assert "2 to create" in apply(text)
    assert export() == text


def test_a_part_is_exported(apply):
    apply(TWO)
    assert [entry["name"] for entry in yaml.safe_load(export("--namespace", "team-b"))["tasks"]] == ["ping"]
    assert yaml.safe_load(export("--source", "other"))["tasks"] == []
    with pytest.raises(CommandError, match="no namespace"):
        export("--namespace", "nowhere")


def test_managed_tasks_are_changed_in_their_file(apply, api):
    apply(TWO)
    task = Task.objects.get(name="ping")
    address = f"/api/v1/tasks/{task.pk}/"
    for answer in (api.patch(address, {"max_attempts": 5}), api.delete(address)):
        assert answer.status_code == 409
        assert "managed by “tasks”" in answer.content.decode()
    assert api.post(f"{address}pause/").json()["status"] == "paused"
    assert api.post(f"{address}resume/").json()["status"] == "active"
    assert api.post(f"{address}take-over/").json()["managed_by"] == ""
    assert api.patch(address, {"max_attempts": 5}).status_code == 200
    assert "max_attempts: 5 → 3" in apply(TWO)


def test_only_what_is_named_is_looked_at(django_assert_max_num_queries):
    for n in range(20):
        actions.save(Task(name=f"other-{n}", executor="shell", command="true"), database_now())
    with django_assert_max_num_queries(4):
        changes = compare(read("tasks: [{name: a, executor: shell, command: x}]"), "s", prune=True)
    assert (len(changes.create), changes.change, changes.delete) == (1, [], [])


def test_a_large_file_is_read_with_two_looks_at_the_database(django_assert_num_queries):
    entries = ", ".join(f"{{name: task-{n}, executor: shell, command: x}}" for n in range(20))
    with django_assert_num_queries(2):  # namespaces and calendars
        assert len(read(f"tasks: [{entries}]")) == 20


@pytest.mark.django_db(transaction=True)
def test_a_file_is_read_before_the_transaction(apply, monkeypatch):
    Namespace.objects.get_or_create(name="default")
    seen = []
    monkeypatch.setattr(
        "tasks_app.management.commands.apply.read", lambda text: seen.append(connection.in_atomic_block) or read(text)
    )
    apply(TWO)
    assert seen == [False]


FLOW = """
tasks:
  - {name: a, executor: shell, command: "true"}
  - {name: b, executor: shell, command: "true", depends_on: [a]}
  - {name: c, executor: shell, command: "true", depends_on: [a]}
  - {name: d, executor: shell, command: "true", depends_on: [b, c]}
"""


def test_taking_a_parent_away_may_not_leave_a_flow_with_two_first_tasks(apply):
    apply(FLOW)
    freed = FLOW.replace('c, executor: shell, command: "true", depends_on: [a]', 'c, executor: shell, command: "true"')
    with pytest.raises(CommandError, match="“d” would be part of flows that begin with different tasks"):
        apply(freed)
    assert Task.objects.get(name="c").depends_on == [{"task": "a"}]
