"""The admin page of flows."""

import pytest
from django.test import Client

from tasks_app import actions
from tasks_app.clock import database_now
from tasks_app.dispatch.advance import advance
from tasks_app.models import FlowRun, Task, TaskRun
from tests.tasks_app.admin.helpers import CONFIRMED, TASKS, person, said, task
from tests.tasks_app.admin.test_tasks import form

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
FLOWS = "/admin/tasks_app/flowrun/"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def flow() -> FlowRun:
    task("load"), task("report", depends_on=["load"])
    first = Task.objects.get(name="load")
    return actions.trigger([actions.Trigger(first)], database_now())[0].flow


def settle() -> None:
    while advance(database_now()):
        pass


def test_an_empty_list_says_what_to_do(client):
    assert "A flow appears here when a task runs that others depend on" in client.get(FLOWS).content.decode()


def test_the_page_shows_the_steps(client, flow, django_assert_max_num_queries):
    with django_assert_max_num_queries(20):
        page = client.get(f"{FLOWS}{flow.pk}/change/").content.decode()
    for run in TaskRun.objects.all():
        assert f'href="/admin/tasks_app/taskrun/{run.pk}/change/"' in page
    assert "all_success" in page
    listed = client.get(FLOWS).content.decode()
    assert "load" in listed
    assert f'href="{FLOWS}"' in listed, "the side bar leads to it"
    runs = client.get(f"/admin/tasks_app/taskrun/?flow={flow.pk}").content.decode()
    assert runs.count('<span class="mono"') == 2
    assert client.get("/admin/tasks_app/taskrun/?flow=nonsense").status_code in (200, 302)


def test_cancel_and_retry(client, flow):
    assert "being cancelled" in said(client.post(f"{FLOWS}{flow.pk}/cancel/", CONFIRMED))
    settle()
    flow.refresh_from_db()
    assert flow.status == "cancelled"
    assert "over already" in said(client.post(f"{FLOWS}{flow.pk}/cancel/", CONFIRMED))
    assert "goes on from where" in said(client.post(f"{FLOWS}{flow.pk}/retry/", CONFIRMED))
    again = FlowRun.objects.get(retry_of=flow)
    assert again.runs.count() == 2
    assert "The flow is running" in said(client.post(f"{FLOWS}{again.pk}/retry/", CONFIRMED))


def test_who_may_only_look_changes_nothing(flow):
    reader = person("tasks_app.view_flowrun")
    assert reader.get(f"{FLOWS}{flow.pk}/change/").status_code == 200
    for action in ("cancel", "retry"):
        assert reader.post(f"{FLOWS}{flow.pk}/{action}/", CONFIRMED).status_code == 403


def test_the_form_of_a_task_takes_parents(client):
    task("load")
    stored = task("report")
    address = f"{TASKS}{stored.pk}/change/"
    wish = {**form(stored), "depends_on": '["load"]', "inputs": '{"rows": "parents.load.result.rows"}'}
    wish |= {"name": "report", "schedule": ""}
    assert client.post(address, wish).status_code == 302
    stored = Task.objects.get(pk=stored.pk)
    assert stored.depends_on == [{"task": "load"}]
    assert stored.inputs == {"rows": "parents.load.result.rows"}
    assert "load" in client.get(address).content.decode()
    for value in ('["nowhere"]', '["report"]', '{"task": 1}', "["):
        answer = client.post(address, {**wish, "depends_on": value})
        assert list(answer.context["adminform"].form.errors) == ["depends_on"]
    assert client.post(address, {**wish, "depends_on": "", "inputs": ""}).status_code == 302
    assert Task.objects.get(pk=stored.pk).depends_on == []
