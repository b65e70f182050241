"""Pools over the REST API, and limits of tasks that use them."""

import pytest

from access_app.models import Namespace
from tasks_app.models import Permit, Pool, Task
from tests.tasks_app.api.conftest import TASK, TASKS, refused
from tests.tasks_app.factories import NOW, a_run, a_task

pytestmark = pytest.mark.django_db
POOLS = "/api/v1/pools/"
DATABASE = {"name": "database", "slots": 5}


@pytest.fixture
def pool() -> Pool:
    return Pool.objects.create(**DATABASE)


def test_create_read_edit_delete(api):
    made = api.post(POOLS, DATABASE)
    assert made.status_code == 201, made.content
    assert made.json() | DATABASE == made.json()
    address = f"{POOLS}{made.json()['id']}/"
    assert api.get(address).json() == made.json()
    assert api.patch(address, {"slots": 7, "name": "db"}).json()["slots"] == 7
    assert [each["name"] for each in api.get(POOLS, {"name": "db"}).json()["results"]] == ["db"]
    assert api.delete(address).status_code == 204
    assert not Pool.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slots": -1}, "slots"),
        ({"slots": 100_001}, "slots"),
        ({"slots": None}, "slots"),
        ({"name": ""}, "name"),
        ({"name": " a"}, "name"),
        ({"namespace": "nowhere"}, "namespace"),
        ({"size": 1}, "size"),
    ],
)
def test_refused(api, change, field):
    refused(api.post(POOLS, {**DATABASE, **change}), 400, field)
    assert not Pool.objects.exists()


def test_names_are_unique_among_those_that_the_same_tasks_see(api, pool):
    refused(api.post(POOLS, DATABASE), 400, "name")
    Namespace.objects.create(name="team")
    own = {**DATABASE, "namespace": "team"}
    assert api.post(POOLS, own).status_code == 201
    refused(api.post(POOLS, own), 400, "name")


def test_it_says_how_much_of_it_is_taken(api, pool):
    for takes in (1, 2):
        Permit.objects.create(key=pool.key, run_id=a_run().pk, attempt=1, takes=takes, given_at=NOW)
    assert api.get(f"{POOLS}{pool.pk}/").json()["taken"] == 3


def test_one_that_tasks_use_is_neither_deleted_nor_renamed(api, pool):
    a_task(name="dump", pools={"database": 1})
    answer = api.delete(f"{POOLS}{pool.pk}/")
    assert answer.status_code == 409
    assert "Tasks use the pool: dump." in answer.json()["error"]["message"]
    Namespace.objects.create(name="team")
    refused(api.patch(f"{POOLS}{pool.pk}/", {"name": "db"}), 400, "name")
    refused(api.patch(f"{POOLS}{pool.pk}/", {"namespace": "team"}), 400, "namespace")
    Task.objects.update(deleted_at=NOW)
    assert api.delete(f"{POOLS}{pool.pk}/").status_code == 204


def test_a_namespace_with_a_pool_of_its_own_does_not_use_the_shared_one(api, pool):
    space = Namespace.objects.create(name="team")
    Pool.objects.create(name="database", slots=1, namespace=space)
    a_task(namespace=space, pools={"database": 1})
    assert api.delete(f"{POOLS}{pool.pk}/").status_code == 204


def test_a_task_with_all_limits(api, pool):
    limits = {
        "overlap": "queue",
        "max_parallel": 2,
        "max_queued": 10,
        "mutex": "deploy-{host}",
        "pools": {"database": 2},
        "rate_count": 100,
        "rate_seconds": 1.5,
        "rate_key": "mail-{to}",
    }
    answer = api.post(TASKS, {**TASK, **limits})
    assert answer.status_code == 201, answer.content
    assert answer.json() | limits == answer.json()


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"overlap": "never"}, "overlap"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"max_queued": 3}, "max_queued"),
        ({"overlap": "skip", "max_queued": 3}, "max_queued"),
        ({"mutex": "deploy-{host"}, "mutex"),
        ({"mutex": "deploy-{}"}, "mutex"),
        ({"mutex": "a\nb"}, "mutex"),
        ({"pools": {"nowhere": 1}}, "pools"),
        ({"pools": {"database": 0}}, "pools"),
        ({"pools": {"database": True}}, "pools"),
        ({"pools": ["database"]}, "pools"),
        ({"rate_count": 0}, "rate_count"),
        ({"rate_count": 1, "rate_seconds": 0.01}, "rate_seconds"),
        ({"rate_key": "mail"}, "rate_key"),
        ({"rate_count": 1, "rate_key": "{ }"}, "rate_key"),
    ],
)
def test_limits_that_are_wrong_are_refused(api, pool, limits, field):
    refused(api.post(TASKS, {**TASK, **limits}), 400, field)
    assert not Task.objects.exists()


def test_another_namespaces_pool_is_none(api):
    Pool.objects.create(name="own", slots=1, namespace=Namespace.objects.create(name="team"))
    refused(api.post(TASKS, {**TASK, "pools": {"own": 1}}), 400, "pools")
    assert api.post(TASKS, {**TASK, "pools": {"own": 1}, "namespace": "team"}).status_code == 201
