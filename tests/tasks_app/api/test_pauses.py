"""Pauses over the REST API."""

import pytest

from access_app.models import Namespace
from tasks_app.models import Pause, Task
from tests.tasks_app.api.conftest import TASK, TASKS, refused

pytestmark = pytest.mark.django_db
PAUSES = "/api/v1/pauses/"
LATER = "2999-01-01T00:00:00Z"


def test_a_task_says_why_it_is_paused(api, admin):
    task = api.post(TASKS, {**TASK, "schedule": "@daily"}).json()
    assert task["pause"] is None
    wish = {"reason": "They move", "until": LATER, "drain": True}
    paused = api.post(f"{TASKS}{task['id']}/pause/", wish).json()
    assert paused["status"] == "paused"
    told = paused["pause"]
    assert {name: told[name] for name in wish} == wish
    assert (told["by"], told["scope"]) == (admin.username, "task t")
    assert api.get(f"{TASKS}{task['id']}/").json()["pause"] == told
    assert api.get(f"{PAUSES}?task={task['id']}").json()["results"][0]["reason"] == "They move"
    resumed = api.post(f"{TASKS}{task['id']}/resume/").json()
    assert (resumed["status"], resumed["pause"]) == ("active", None)
    assert not Pause.objects.exists()


def test_without_a_word_and_by_its_status(api):
    task = api.post(TASKS, {**TASK, "status": "paused"}).json()
    assert task["pause"]["reason"] == ""
    assert api.patch(f"{TASKS}{task['id']}/", {"status": "active"}).json()["pause"] is None
    assert api.post(f"{TASKS}{task['id']}/pause/").json()["pause"]["until"] is None


def test_a_namespace_and_a_label(api, admin):
    Namespace.objects.create(name="team-b")
    mine = api.post(TASKS, {**TASK, "labels": {"team": "billing"}}).json()
    theirs = api.post(TASKS, {**TASK, "namespace": "team-b"}).json()
    first = api.post(PAUSES, {"namespace": "team-b", "reason": "They move"})
    assert first.status_code == 201, first.content
    assert first.json()["paused_by"] == admin.username
    second = api.post(PAUSES, {"label": "team=billing", "drain": True}).json()
    assert api.post(PAUSES, {"label": "team=billing", "reason": "Again"}).json()["id"] == second["id"]
    shown = {each["id"]: each["pause"] for each in api.get(TASKS).json()["results"]}
    assert shown[theirs["id"]]["scope"] == "namespace team-b"
    assert shown[mine["id"]]["scope"] == "label team=billing"
    assert {each["status"] for each in api.get(TASKS).json()["results"]} == {"active"}
    assert [each["id"] for each in api.get(f"{TASKS}?label=team=billing").json()["results"]] == [mine["id"]]
    assert len(api.get(PAUSES).json()["results"]) == 2
    for pause in (first.json(), second):
        assert api.delete(f"{PAUSES}{pause['id']}/").status_code == 204
    assert set(Task.objects.values_list("hold", flat=True)) == {0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "namespace"),
        ({"namespace": "nowhere"}, "namespace"),
        ({"label": "billing"}, "label"),
        ({"label": "a=b", "until": "2000-01-01T00:00:00Z"}, "until"),
        ({"label": "a=b", "until": "soon"}, "until"),
        ({"label": "a=b", "reason": "x" * 1001}, "reason"),
        ({"label": "a=b", "drain": "perhaps"}, "drain"),
        ({"label": "a=b", "task": 7, "why": "x"}, "why"),
    ],
)
def test_refused(api, body, field):
    refused(api.post(PAUSES, body), 400, field)
    assert not Pause.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [({"until": "2000-01-01T00:00:00Z"}, "until"), ({"reson": "x"}, "reson"), ({"drain": 7}, "drain")],
)
def test_a_task_is_not_paused_by_what_is_refused(api, make_task, body, field):
    task = make_task()
    refused(api.post(f"{TASKS}{task.pk}/pause/", body), 400, field)
    task.refresh_from_db()
    assert (task.status, Pause.objects.count()) == ("active", 0)


def test_the_statements_of_a_list_do_not_grow(api, django_assert_max_num_queries):
    for number in range(20):
        api.post(TASKS, {**TASK, "name": f"t{number}", "status": "paused"})
    with django_assert_max_num_queries(5):
        assert len(api.get(TASKS).json()["results"]) == 20
