"""The admin pages of pauses, and what the page of a task says of them."""

import pytest
from django.test import Client

from tasks_app import actions
from tasks_app.clock import database_now
from tasks_app.models import Pause, Task
from tests.tasks_app.admin.helpers import CONFIRMED, TASKS, bulk, person, said, task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
PAUSES = "/admin/tasks_app/pause/"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def test_a_namespace_is_paused_and_resumed(client, admin):
    assert "Nothing is paused" in client.get(PAUSES).content.decode()
    stored = task(schedule="@daily")
    form = {"namespace": str(stored.namespace_id), "label": "", "reason": "They move", "until_0": "", "until_1": ""}
    for reason in ("They move", "They move on"):
        assert client.post(f"{PAUSES}add/", form | {"reason": reason}).status_code == 302
    row = Pause.objects.get()
    assert (row.reason, row.paused_by) == ("They move on", admin)
    stored.refresh_from_db()
    assert stored.hold == 2
    page = client.get(f"{TASKS}{stored.pk}/change/").content.decode()
    assert "They move on" in page
    assert "held" in client.get(TASKS).content.decode()
    assert "They move on" in client.get(PAUSES).content.decode()
    assert "They move on" in client.get(f"{PAUSES}{row.pk}/change/").content.decode()
    assert "1 pause ended" in said(client.post(f"{PAUSES}{row.pk}/resume/", CONFIRMED))
    stored.refresh_from_db()
    assert (stored.hold, Pause.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "namespace"),
        ({"label": "x"}, "label"),
        ({"label": "a=b", "until_0": "2000-01-01", "until_1": "00:00"}, "until"),
    ],
)
def test_an_error_is_shown_at_its_field(client, change, field):
    form = {"namespace": "", "label": "", "reason": "", "until_0": "", "until_1": ""}
    answer = client.post(f"{PAUSES}add/", form | change)
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Pause.objects.exists()


def test_many_are_resumed_and_who_may(client):
    tasks = [task("a"), task("b")]
    for each in tasks:
        actions.pause(each, database_now(), reason="x")
    rows = list(Pause.objects.all())
    viewer = person("tasks_app.view_pause")
    assert viewer.get(PAUSES).status_code == 200
    assert viewer.post(f"{PAUSES}{rows[0].pk}/resume/", CONFIRMED).status_code == 403
    assert viewer.get(f"{PAUSES}add/").status_code == 403
    assert "2 pauses ended" in bulk(client, PAUSES, "resume_selected", *rows)
    assert set(Task.objects.values_list("status", flat=True)) == {"active"}
