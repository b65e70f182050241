"""The admin pages of namespaces, API keys, users and groups."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from access_app.models import ApiKey, Namespace
from tasks_app.clock import database_now
from tests.tasks_app.admin.helpers import CONFIRMED, bulk, person, said, task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
KEYS = "/admin/access_app/apikey/"
ROOMS = "/admin/access_app/namespace/"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def key(owner: User, **values: object) -> ApiKey:
    made = ApiKey(name="ci", owner=owner, **values)
    made.issue()
    made.save()
    return made


def test_a_new_key_is_shown_exactly_once(client, admin):
    page = client.post(f"{KEYS}add/", {"name": "ci", "owner": admin.pk, "_continue": "1"}, follow=True).content.decode()
    stored = ApiKey.objects.get()
    (text,) = re.findall(r"<code class='secret'>([^<]+)</code>", page)
    prefix, secret = text.split(".")
    assert (stored.prefix, stored.digest) == (prefix, ApiKey.digest_of(secret))
    again = client.get(f"{KEYS}{stored.pk}/change/").content.decode()
    assert secret not in again
    assert stored.digest not in page + again


def test_an_edit_keeps_the_key_and_its_owner(client, admin):
    stored, other = key(admin), User.objects.create_user("other")
    client.post(f"{KEYS}{stored.pk}/change/", {"name": "renamed", "owner": other.pk})
    digest = stored.digest
    stored.refresh_from_db()
    assert (stored.name, stored.owner, stored.digest) == ("renamed", admin, digest)


def test_the_owner_is_oneself_unless_chosen(client, admin):
    form = client.get(f"{KEYS}add/").context["adminform"].form
    assert str(form["owner"].value()) == str(admin.pk)


def test_nobody_makes_a_key_that_acts_as_somebody_else(admin):
    maker = person("access_app.add_apikey", "access_app.view_apikey")
    answer = maker.post(f"{KEYS}add/", {"name": "ci", "owner": admin.pk})
    assert list(answer.context["adminform"].form.errors) == ["owner"]
    assert not ApiKey.objects.exists()


def test_the_list_tells_which_keys_work(client, admin, django_assert_max_num_queries):
    key(admin), key(admin, revoked_at=database_now()), key(admin, expires_at=database_now())
    with django_assert_max_num_queries(10):
        page = client.get(KEYS).content.decode()
    labels = re.findall(r"\b(valid|revoked|expired)\s*</span>", page)
    assert sorted(labels) == ["expired", "revoked", "valid"]


def test_revoke(client, admin):
    first, second = key(admin), key(admin)
    assert client.get(f"{KEYS}{first.pk}/revoke/").status_code == 200
    assert said(client.post(f"{KEYS}{first.pk}/revoke/", CONFIRMED)) == "1 key revoked."
    assert bulk(client, KEYS, "revoke_selected", first, second) == "1 key revoked."
    assert not ApiKey.objects.valid().exists()
    assert "/revoke/" not in client.get(f"{KEYS}{first.pk}/change/").content.decode()
    assert "doesn’t exist" in said(client.post(f"{KEYS}99/revoke/", CONFIRMED))


def test_who_may_only_look_cannot_revoke(admin):
    stored = key(admin)
    reader = person("access_app.view_apikey")
    assert "/revoke/" not in reader.get(f"{KEYS}{stored.pk}/change/").content.decode()
    assert reader.post(f"{KEYS}{stored.pk}/revoke/", CONFIRMED).status_code == 403
    bulk(reader, KEYS, "revoke_selected", stored)
    stored.refresh_from_db()
    assert stored.revoked_at is None


def test_namespaces_count_their_tasks(client, django_assert_max_num_queries):
    room = Namespace.objects.create(name="team-a")
    task("a", namespace=room), task("b", namespace=room)
    with django_assert_max_num_queries(8):
        assert "2 tasks" in client.get(ROOMS).content.decode()
    assert "2 tasks" in client.get(f"{ROOMS}{room.pk}/change/").content.decode()


def test_a_namespace_name_is_checked(client):
    answer = client.post(f"{ROOMS}add/", {"name": "Team A", "weight": "1"})
    assert list(answer.context["adminform"].form.errors) == ["name"]
    assert client.post(f"{ROOMS}add/", {"name": "team-a", "weight": "1"}).status_code == 302


def test_a_namespace_with_tasks_stays(client):
    room = task().namespace
    assert "protected" in client.get(f"{ROOMS}{room.pk}/delete/").content.decode()


def test_users_and_groups_have_pages(client, admin):
    group = Group.objects.create(name="operators")
    for path in (
        "user/",
        "user/add/",
        f"user/{admin.pk}/change/",
        f"user/{admin.pk}/password/",
        "group/",
        "group/add/",
    ):
        assert client.get(f"/admin/auth/{path}").status_code == 200, path
    assert client.get(f"/admin/auth/group/{group.pk}/change/").status_code == 200


def test_the_side_bar_shows_what_one_may_see():
    page = person("tasks_app.view_task").get("/admin/tasks_app/task/").content.decode()
    assert "/admin/tasks_app/task/" in page
    assert "/admin/access_app/apikey/" not in page


def test_the_limits_of_a_namespace(client):
    def save(**limits: str) -> dict[str, list[str]]:
        answer = client.post(f"{ROOMS}{room.pk}/change/", {"name": "team-a", "weight": "1", **limits})
        room.refresh_from_db()
        return {} if answer.status_code == 302 else answer.context["adminform"].form.errors

    room = Namespace.objects.create(name="team-a")
    assert save(max_pending="100", max_triggers_per_minute="60") == {}
    assert (room.max_pending, room.max_triggers_per_minute) == (100, 60)
    assert set(save(max_pending="0", max_triggers_per_minute="-1")) == {"max_pending", "max_triggers_per_minute"}
    assert save() == {}
    assert (room.max_pending, room.max_triggers_per_minute) == (None, None)
    assert save(weight="1000") == {}
    assert room.weight == 1000
    assert set(save(weight="0")) == set(save(weight="1001")) == {"weight"}


def test_the_admin_says_which_limit_holds(client):
    stored = task(namespace=Namespace.objects.create(name="team-a", max_pending=1))
    address = f"/admin/tasks_app/task/{stored.pk}/run_now/"
    dialog = {**CONFIRMED, "params": "{}"}
    assert "was made" in said(client.post(address, dialog))
    assert "“team-a” may have at most 1 pending runs" in said(client.post(address, dialog))
    assert "at most 1 pending" in bulk(client, "/admin/tasks_app/task/", "run_selected", stored)
