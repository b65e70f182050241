"""The admin pages of circuits."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from tasks_app.clock import database_now
from tasks_app.models import Circuit
from tests.tasks_app.admin.helpers import CONFIRMED, bulk, pending, person, said, task, worker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
CIRCUITS = "/admin/tasks_app/circuit/"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def a_circuit(target: str = "host:example.com:443", **fields) -> Circuit:
    now = database_now()
    retry_at = now + timedelta(seconds=30)
    values = {"state": "open", "failures": 5, "opened_at": now, "retry_at": retry_at, "updated_at": now}
    return Circuit.objects.create(target=target, **(values | fields))


def test_the_list_shows_facts_with_a_bounded_number_of_queries(client, django_assert_max_num_queries):
    for number in range(12):
        a_circuit(f"host:{number}.example:80")
    with django_assert_max_num_queries(8):
        page = client.get(CIRCUITS).content.decode()
    assert "host:11.example:80" in page
    assert f'href="{CIRCUITS}"' in page, "the side bar leads to it"


def test_an_empty_list_says_how_a_task_gets_one(client):
    assert "hold or skip" in client.get(CIRCUITS).content.decode()


@pytest.mark.parametrize("query", ["?state=open", "?q=example", "?o=3", "?o=-4"])
def test_filters_and_search(client, query):
    assert f"{CIRCUITS}{a_circuit().pk}/change/" in client.get(CIRCUITS + query).content.decode()


def test_the_page_links_what_it_guards_and_its_probe(client):
    stored, host = task(), worker(name="w1")
    run = pending(stored)
    guarding = a_circuit(f"task:{stored.pk}", state="half_open", probe_id=run.pk, probe_attempt=1)
    page = client.get(f"{CIRCUITS}{guarding.pk}/change/").content.decode()
    assert f"/admin/tasks_app/task/{stored.pk}/change/" in page
    assert f"/admin/tasks_app/taskrun/{run.pk}/change/" in page
    page = client.get(f"{CIRCUITS}{a_circuit('worker:w1').pk}/change/").content.decode()
    assert f"/admin/workers_app/workerinfo/{host.pk}/change/" in page
    assert client.get(f"{CIRCUITS}{a_circuit('worker:gone').pk}/change/").status_code == 200


def test_circuits_are_read_only(client):
    circuit = a_circuit()
    assert client.get(f"{CIRCUITS}add/").status_code == 403
    assert client.post(f"{CIRCUITS}{circuit.pk}/change/", {"state": "closed"}).status_code == 403
    assert client.post(f"{CIRCUITS}{circuit.pk}/delete/", {"post": "yes"}).status_code == 403


def test_reset(client):
    circuit, others = a_circuit(), [a_circuit("task:1"), a_circuit("task:2")]
    assert f"/{circuit.pk}/reset/" in client.get(f"{CIRCUITS}{circuit.pk}/change/").content.decode()
    assert said(client.post(f"{CIRCUITS}{circuit.pk}/reset/", CONFIRMED)) == "1 circuit closed."
    assert Circuit.objects.filter(state="closed").get() == circuit
    assert bulk(client, CIRCUITS, "reset_selected", *others) == "2 circuits closed."
    assert set(Circuit.objects.values_list("state", "failures")) == {("closed", 0)}
    assert LogEntry.objects.count() == 3


def test_a_circuit_that_is_unknown(client):
    assert "doesn’t exist" in said(client.post(f"{CIRCUITS}99/reset/", CONFIRMED))


def test_who_may_only_look_cannot_reset():
    circuit = a_circuit()
    reader = person("tasks_app.view_circuit")
    assert "/reset/" not in reader.get(f"{CIRCUITS}{circuit.pk}/change/").content.decode()
    assert reader.post(f"{CIRCUITS}{circuit.pk}/reset/", CONFIRMED).status_code == 403
    bulk(reader, CIRCUITS, "reset_selected", circuit)
    assert Circuit.objects.get().state == "open"


def test_the_page_of_a_worker_says_that_it_is_set_aside(client):
    host = worker(name="bad")
    circuit = a_circuit("worker:bad")
    until = circuit.retry_at.strftime("%Y-%m-%d %H:%M:%S")
    assert until in client.get("/admin/workers_app/workerinfo/").content.decode()
    assert until in client.get(f"/admin/workers_app/workerinfo/{host.pk}/change/").content.decode()
