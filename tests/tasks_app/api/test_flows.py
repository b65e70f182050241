"""Dependencies and flows over the REST API."""

import pytest

from access_app.models import Namespace
from tasks_app.dispatch.advance import advance
from tasks_app.models import Task, TaskRun
from tests.tasks_app.api.conftest import TASK, TASKS, refused
from tests.tasks_app.factories import NOW

pytestmark = pytest.mark.django_db
FLOWS = "/api/v1/flows/"


def made(api, name: str, *parents, **fields) -> dict:
    answer = api.post(TASKS, {**TASK, "name": name, "depends_on": list(parents), **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def diamond(api) -> dict[str, dict]:
    tasks = {"a": made(api, "a"), "b": made(api, "b", "a")}
    tasks["c"] = made(api, "c", {"task": "a", "when": "result.ok"})
    tasks["d"] = made(api, "d", "b", "c", trigger_rule="all_done", inputs={"x": "parents.b.result"})
    return tasks


def address(task: dict) -> str:
    return f"{TASKS}{task['id']}/"


def ended(**statuses: str) -> None:
    """Runs have ended, and those that wait for them know."""
    for name, status in statuses.items():
        run = TaskRun.objects.filter(task__name=name)
        run.update(status=status, completed_at=NOW, assigned_at=NOW, started_at=NOW)
    while advance(NOW):
        pass


def test_what_a_task_depends_on_comes_back(api, diamond):
    assert api.get(address(diamond["c"])).json()["depends_on"] == [{"task": "a", "when": "result.ok"}]
    assert api.get(address(diamond["d"])).json()["depends_on"] == [{"task": "b"}, {"task": "c"}]
    changed = api.patch(address(diamond["d"]), {"depends_on": ["b"]}).json()
    assert changed["depends_on"] == [{"task": "b"}]
    assert api.patch(address(diamond["d"]), {"priority": 5}).json()["depends_on"] == [{"task": "b"}]
    flags = dict(Task.objects.values_list("name", "leads"))
    assert flags == {"a": True, "b": True, "c": False, "d": False}
    cleared = api.patch(address(diamond["d"]), {"depends_on": [], "inputs": {}})
    assert cleared.json()["depends_on"] == []
    assert not Task.objects.get(name="b").leads


def test_a_list_costs_the_same_however_many_depend(api, diamond, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        found = api.get(TASKS).json()["results"]
    assert len(found) == 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"depends_on": "a"}, "depends_on"),
        ({"depends_on": [7]}, "depends_on"),
        ({"depends_on": [{"name": "a"}]}, "depends_on"),
        ({"depends_on": ["nowhere"]}, "depends_on"),
        ({"depends_on": ["a", "a"]}, "depends_on"),
        ({"depends_on": [{"task": "a", "when": "result."}]}, "depends_on"),
        ({"depends_on": [{"task": "a", "when": "__import__('os')"}]}, "depends_on"),
        ({"depends_on": [{"task": "a", "when": "parents.a"}]}, "depends_on"),
        ({"depends_on": ["a"], "schedule": "* * * * *"}, "schedule"),
        ({"depends_on": ["a"], "trigger_rule": "most"}, "trigger_rule"),
        ({"depends_on": ["a"], "depend_on": "sometimes"}, "depend_on"),
        ({"depends_on": ["a"], "inputs": {"x": "result"}}, "inputs"),
        ({"depends_on": ["a"], "inputs": {"x": 1}}, "inputs"),
        ({"depends_on": ["a"], "inputs": []}, "inputs"),
        ({"inputs": {"x": "parents.a.result"}}, "inputs"),
        ({"flow_timeout_seconds": 0}, "flow_timeout_seconds"),
    ],
)
def test_refused(api, change, field):
    made(api, "a")
    refused(api.post(TASKS, {**TASK, "name": "b", **change}), 400, field)
    assert Task.objects.count() == 1


def test_a_cycle_is_refused_with_its_members(api, diamond):
    answer = api.patch(address(diamond["a"]), {"depends_on": ["d"]})
    refused(answer, 400, "depends_on")
    assert "Tasks would wait for each other: " in answer.json()["error"]["message"]
    assert "a → b → d → a" in answer.json()["error"]["message"].replace("b → d → a → b", "a → b → d → a")
    answer = api.patch(address(diamond["a"]), {"depends_on": ["a"]})
    refused(answer, 400, "depends_on")
    assert "a → a" in answer.json()["error"]["message"]


def test_flows_with_several_first_tasks_are_refused_with_the_mend(api, diamond):
    made(api, "other")
    for task, parents in ((diamond["d"], ["b", "other"]), (diamond["c"], ["other"])):
        answer = api.patch(address(task), {"depends_on": parents})
        refused(answer, 400, "depends_on")
        message = answer.json()["error"]["message"]
        assert "“d” would be part of flows that begin with different tasks: a, other." in message
    latest = api.patch(address(diamond["d"]), {"depends_on": ["b", "other"], "depend_on": "latest"})
    assert latest.status_code == 200
    refused(api.patch(address(diamond["d"]), {"depend_on": "flow"}), 400, "depends_on")


def test_tasks_of_other_namespaces_are_none(api):
    Namespace.objects.create(name="team")
    made(api, "a", namespace="team")
    refused(api.post(TASKS, {**TASK, "name": "b", "depends_on": ["a"]}), 400, "depends_on")


def test_what_others_depend_on_is_not_deleted(api, diamond):
    answer = api.delete(address(diamond["a"]))
    assert answer.status_code == 409
    assert "Tasks depend on “a”: b, c." in answer.json()["error"]["message"]
    assert api.delete(address(diamond["d"])).status_code == 204
    assert not Task.objects.get(name="b").leads


def test_a_flow_is_shown_with_its_steps(api, diamond):
    run = api.post(f"{address(diamond['a'])}run/", {"params": {"p": 1}}).json()
    flow = api.get(f"{FLOWS}{run['flow']}/").json()
    assert (flow["task_name"], flow["status"], flow["params"]) == ("a", "running", {"p": 1})
    assert [(step["name"], step["status"], step["parents"]) for step in flow["steps"]] == [
        ("a", "pending", []),
        ("b", "pending", ["a"]),
        ("c", "pending", ["a"]),
        ("d", "pending", ["b", "c"]),
    ]
    assert flow["steps"][0]["run"] == run["id"]
    runs = api.get("/api/v1/runs/", {"flow": flow["id"]}).json()["results"]
    assert {each["id"] for each in runs} == {step["run"] for step in flow["steps"]}
    assert [each["id"] for each in api.get(FLOWS, {"status": "running"}).json()["results"]] == [flow["id"]]
    assert api.get(FLOWS, {"status": "failed"}).json()["results"] == []


def test_alone_it_begins_no_flow(api, diamond):
    run = api.post(f"{address(diamond['a'])}run/", {"children": False}).json()
    assert run["flow"] is None
    assert TaskRun.objects.count() == 1
    bulk = api.post(
        "/api/v1/runs/bulk/", [{"task": diamond["a"]["id"]}, {"task": diamond["a"]["id"], "children": False}]
    )
    assert [bool(each["flow"]) for each in bulk.json()["runs"]] == [True, False]


def test_a_trigger_costs_no_more_where_nothing_depends_on_it(api, django_assert_max_num_queries):
    task = made(api, "a")
    api.post(f"{address(task)}run/", {})
    with django_assert_max_num_queries(8):
        assert api.post(f"{address(task)}run/", {}).status_code == 202


def test_cancel_and_retry(api, diamond):
    run = api.post(f"{address(diamond['a'])}run/", {}).json()
    flow = f"{FLOWS}{run['flow']}/"
    refused(api.post(f"{flow}retry/", {}), 409)
    assert api.post(f"{flow}cancel/").status_code == 200
    assert set(TaskRun.objects.values_list("status", flat=True)) == {"cancelled"}
    while advance(NOW):
        pass
    assert api.get(flow).json()["status"] == "cancelled"
    refused(api.post(f"{flow}cancel/"), 409)
    refused(api.post(f"{flow}retry/", {"steps": "a"}), 400, "steps")
    again = api.post(f"{flow}retry/", {"steps": ["c"]})
    assert again.status_code == 201
    assert again.json()["retry_of"] == run["flow"]
    assert [(each["name"], each["taken_over"]) for each in again.json()["steps"]] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("d", False),
    ]
    # What waits for steps that an earlier flow has not done well is decided at once.
    assert {each["name"]: each["status"] for each in again.json()["steps"]}["c"] == "skipped"
