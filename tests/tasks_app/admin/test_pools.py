"""Pools in the admin."""

import pytest
from django.test import Client

from tasks_app.models import Pool
from tests.tasks_app.admin.helpers import CONFIRMED
from tests.tasks_app.factories import a_task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
POOLS = "/admin/tasks_app/pool/"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def test_one_is_made_shown_and_changed(client):
    answer = client.post(f"{POOLS}add/", {"name": "database", "slots": "5", "description": "Connections"})
    assert answer.status_code == 302
    pool = Pool.objects.get()
    assert "0 of 5" in client.get(POOLS).content.decode()
    page = client.get(f"{POOLS}{pool.pk}/change/").content.decode()
    assert "0 runs" in page
    assert client.post(f"{POOLS}{pool.pk}/change/", {"name": "database", "slots": "6"}).status_code == 302
    assert Pool.objects.get().slots == 6


def test_one_that_tasks_use_stays(client):
    pool = Pool.objects.create(name="database", slots=1)
    a_task(name="dump", pools={"database": 1})
    assert "Task: dump" in client.get(f"{POOLS}{pool.pk}/delete/").content.decode()
    client.post(f"{POOLS}{pool.pk}/delete/", {**CONFIRMED, "post": "yes"})
    assert Pool.objects.exists()


def test_renaming_one_that_tasks_use_is_refused(client):
    pool = Pool.objects.create(name="database", slots=1)
    a_task(name="dump", pools={"database": 1})
    answer = client.post(f"{POOLS}{pool.pk}/change/", {"name": "db", "slots": "1"})
    assert "Tasks use the pool: dump." in str(answer.context["adminform"].form.errors["name"])
    assert Pool.objects.get().name == "database"
