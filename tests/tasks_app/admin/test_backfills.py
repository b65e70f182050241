"""The admin pages of backfills: the nominal times are seen before anything is made."""

import pytest
from django.test import Client

from tasks_app.clock import database_now
from tasks_app.dispatch.backfill import release
from tasks_app.models import Backfill
from tests.tasks_app.admin.helpers import CONFIRMED, RUNS, TASKS, person, said, task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
BACKFILLS = "/admin/tasks_app/backfill/"


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def form(**changes: str) -> dict[str, str]:
    values = {
        "task": str(task("daily", schedule="0 9 * * *").pk),
        "which": "missing",
        "order": "oldest",
        "parallel": "2",
    }
    span = {"since_0": "2024-01-01", "since_1": "00:00:00", "until_0": "2024-01-04", "until_1": "00:00:00"}
    return values | span | changes


def test_from_the_list_of_times_to_its_end(client):
    assert "A backfill runs nominal times" in client.get(BACKFILLS).content.decode()
    wish = form()
    assert f"{BACKFILLS}add/?task={wish['task']}" in client.get(f"{TASKS}{wish['task']}/change/").content.decode()
    page = client.get(f"{BACKFILLS}add/?task={wish['task']}").content.decode()
    assert 'data-address="/admin/tasks_app/backfill/preview/"' in page
    listed = client.post(f"{BACKFILLS}preview/", wish).content.decode()
    assert "3 nominal times" in listed
    assert "2024-01-03 09:00:00" in listed
    assert not Backfill.objects.exists()
    assert client.post(f"{BACKFILLS}add/", wish).status_code == 302
    row = Backfill.objects.get()
    release(database_now())
    page = client.get(f"{BACKFILLS}{row.pk}/change/").content.decode()
    assert "2 of 3" in page
    assert "2 pending" in page
    assert f"{RUNS}?backfill={row.pk}" in page
    assert client.get(f"{RUNS}?backfill={row.pk}").content.decode().count("daily") >= 2
    assert "was cancelled" in said(client.post(f"{BACKFILLS}{row.pk}/cancel/", CONFIRMED))
    assert "over already" in said(client.post(f"{BACKFILLS}{row.pk}/cancel/", CONFIRMED))
    assert "daily" in client.get(BACKFILLS).content.decode()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("until", {"until_0": "2999-01-01"}),
        ("since", {"which": "failed"}),
        ("parallel", {"parallel": "0"}),
        ("task", {"task": ""}),
    ],
)
def test_an_error_is_shown_at_its_field(client, field, changes):
    wish = form(**changes)
    assert field in client.post(f"{BACKFILLS}preview/", wish).content.decode()
    answer = client.post(f"{BACKFILLS}add/", wish)
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Backfill.objects.exists()


def test_who_may(client):
    wish = form()
    client.post(f"{BACKFILLS}add/", wish)
    row = Backfill.objects.get()
    viewer = person("tasks_app.view_backfill")
    assert viewer.get(f"{BACKFILLS}{row.pk}/change/").status_code == 200
    assert viewer.post(f"{BACKFILLS}preview/", wish).status_code == 403
    assert viewer.post(f"{BACKFILLS}add/", wish).status_code == 403
    assert viewer.post(f"{BACKFILLS}{row.pk}/cancel/", CONFIRMED).status_code == 403
    assert client.post(f"{BACKFILLS}{row.pk}/change/", wish).status_code == 403
