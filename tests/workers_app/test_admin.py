"""The admin pages of workers."""

import pytest
from django.test import Client

from tests.tasks_app.admin.helpers import CONFIRMED, bulk, person, running, said, task, worker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
WORKERS = "/admin/workers_app/workerinfo/"
OTHER = "00000000-0000-0000-0000-000000000002"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def test_the_list_shows_those_a_person_wants_to_see(client, django_assert_max_num_queries):
    worker(name="alive", labels={"zone": "eu"}, current_tasks=1)
    worker(OTHER, name="old-incarnation", superseded=True, status="offline")
    with django_assert_max_num_queries(8):
        page = client.get(WORKERS).content.decode()
    assert "zone=eu" in page
    assert "1 of 4" in page
    assert "old-incarnation" not in page


def test_an_empty_list_says_how_to_start_one(client):
    assert "celery -A workers_app.agent worker" in client.get(WORKERS).content.decode()


@pytest.mark.parametrize("query", ["?status=online", "?draining__exact=0", "?q=w1", "?o=3"])
def test_filters_and_search(client, query):
    host = worker()
    assert f"{WORKERS}{host.pk}/change/" in client.get(WORKERS + query).content.decode()


def test_the_page_links_what_it_runs(client, django_assert_max_num_queries):
    run = running(task())
    with django_assert_max_num_queries(12):
        page = client.get(f"{WORKERS}{run.worker_id}/change/").content.decode()
    assert f"/admin/tasks_app/taskrun/{run.pk}/change/" in page
    assert f"/admin/tasks_app/taskrun/?worker={run.worker_id}" in page


def test_an_old_incarnation_has_a_page_too(client):
    host = worker(superseded=True, status="offline")
    page = client.get(f"{WORKERS}{host.pk}/change/").content.decode()
    assert "/drain/" not in page
    assert "offline" in page


def test_workers_are_read_only(client):
    host = worker()
    assert client.get(f"{WORKERS}add/").status_code == 403
    assert client.post(f"{WORKERS}{host.pk}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"{WORKERS}{host.pk}/delete/", {"post": "yes"}).status_code == 403


def test_drain_and_undrain(client):
    host = worker()
    page = client.get(f"{WORKERS}{host.pk}/change/").content.decode()
    assert f"/{host.pk}/drain/" in page
    assert f"/{host.pk}/undrain/" not in page
    assert "1 worker draining" in said(client.post(f"{WORKERS}{host.pk}/drain/", CONFIRMED))
    host.refresh_from_db()
    assert (host.draining, host.status) == (True, "draining")
    assert f"/{host.pk}/undrain/" in client.get(f"{WORKERS}{host.pk}/change/").content.decode()
    assert "1 worker taking runs again" in said(client.post(f"{WORKERS}{host.pk}/undrain/", CONFIRMED))


def test_bulk_drain_names_those_that_are_gone(client):
    hosts = worker(), worker(OTHER, name="w2", status="offline")
    answer = bulk(client, WORKERS, "drain_selected", *hosts)
    assert answer == "1 worker draining: no new runs. | Offline, so nothing was changed: w2."
    assert "1 worker taking runs again" in bulk(client, WORKERS, "undrain_selected", *hosts)


def test_a_worker_that_is_unknown(client):
    assert "doesn’t exist" in said(client.post(f"{WORKERS}99/drain/", CONFIRMED))
    assert client.get(f"{WORKERS}x/change/").status_code == 302


def test_who_may_only_look_cannot_drain():
    host = worker()
    reader = person("workers_app.view_workerinfo")
    assert "/drain/" not in reader.get(f"{WORKERS}{host.pk}/change/").content.decode()
    assert reader.post(f"{WORKERS}{host.pk}/drain/", CONFIRMED).status_code == 403
    bulk(reader, WORKERS, "drain_selected", host)
    host.refresh_from_db()
    assert host.draining is False
