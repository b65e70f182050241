"""A name is unique among the tasks of a namespace that are not deleted."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from rest_framework.test import APIClient

from access_app.models import Namespace
from tasks_app.models import Task
from tests.tasks_app.api.conftest import TASK, TASKS, refused, rows

pytestmark = pytest.mark.django_db


def test_a_second_task_of_that_name_is_refused(quiet, task):
    before = rows()
    error = refused(quiet.post(TASKS, TASK), 400, "name")
    assert "exists already" in error["message"]
    assert rows() == before


@pytest.mark.parametrize("method", ["patch", "put"])
def test_so_is_renaming_to_it(quiet, task, make_task, method):
    other = make_task("other")
    refused(getattr(quiet, method)(f"{TASKS}{other.pk}/", {**TASK, "name": "t"}), 400, "name")
    other.refresh_from_db()
    assert other.name == "other"


def test_so_is_moving_it_next_to_one_of_its_name(quiet, task, make_task):
    other = make_task(namespace="team-b")
    refused(quiet.patch(f"{TASKS}{other.pk}/", {"namespace": "default"}), 400, "name")


def test_another_namespace_has_its_own_names(api, task):
    Namespace.objects.create(name="team-b")
    answer = api.post(TASKS, {**TASK, "namespace": "team-b"})
    assert answer.status_code == 201, answer.content
    assert answer.json()["namespace"] == "team-b"


def test_the_name_is_free_again_after_a_deletion(api, task):
    assert api.delete(f"{TASKS}{task.pk}/").status_code == 204
    assert api.post(TASKS, TASK).status_code == 201


def test_a_task_may_keep_its_name(api, task):
    assert api.patch(f"{TASKS}{task.pk}/", {"name": "t", "description": "x"}).status_code == 200
    assert api.put(f"{TASKS}{task.pk}/", TASK).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_one_of_many_at_the_same_time_wins(api):
    def create(_: int) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.credentials(**api._credentials)
        try:
            return client.post(TASKS, TASK)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(create, range(16)))
    assert sorted({answer.status_code for answer in answers} - {409}) == [201, 400]
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert Task.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_edits_at_the_same_time_do_not_undo_each_other(api):
    task = api.post(TASKS, TASK).json()["id"]
    edits = [
        {"description": "new"},
        {"priority": 7},
        {"command": "false"},
        {"max_attempts": 9},
        {"strategy": "round_robin"},
    ]

    def edit(values: dict[str, object]) -> int:
        client = APIClient(raise_request_exception=False)
        client.credentials(**api._credentials)
        try:
            return client.patch(f"{TASKS}{task}/", values).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(edits)) as threads:
        assert set(threads.map(edit, edits)) == {200}
    stored = api.get(f"{TASKS}{task}/").json()
    assert all(stored[name] == value for values in edits for name, value in values.items()), stored
