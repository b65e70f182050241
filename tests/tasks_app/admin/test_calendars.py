"""The admin pages of calendars, and what the page of a task shows of them."""

import pytest
from django.test import Client

from tasks_app.models import Calendar
from tests.tasks_app.admin.helpers import CONFIRMED, TASKS, person, said, task
from tests.tasks_app.admin.test_tasks import form
from tests.tasks_app.api.test_calendars import ICS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
CALENDARS = "/admin/tasks_app/calendar/"
FORM = {"name": "works", "kind": "blackout", "closed": "sat, sun\r\n12-25 Christmas Day", "open": "", "timezone": ""}


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def works() -> Calendar:
    return Calendar.objects.create(name="works", closed="sat, sun")


def test_one_is_made_and_shows_what_is_closed_next(client):
    assert "A calendar says" in client.get(CALENDARS).content.decode()
    assert client.post(f"{CALENDARS}add/", FORM).status_code == 302
    made = Calendar.objects.get()
    assert made.closed == "sat, sun\n12-25 Christmas Day"
    page = client.get(f"{CALENDARS}{made.pk}/change/").content.decode()
    assert "Christmas Day" in page
    assert page.count("<div>Sat ") >= 9
    assert f'href="{CALENDARS}"' in page, "the side bar leads to it"


@pytest.mark.parametrize(
    ("field", "value"), [("closed", "satday"), ("open", "x"), ("timezone", "Mars"), ("name", ""), ("kind", "?")]
)
def test_an_error_is_shown_at_its_field(client, field, value):
    answer = client.post(f"{CALENDARS}add/", {**FORM, field: value})
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Calendar.objects.exists()


def test_the_list_takes_few_queries(client, django_assert_max_num_queries):
    for number in range(5):
        Calendar.objects.create(name=f"c{number}", closed="holidays DE")
    with django_assert_max_num_queries(20):
        page = client.get(CALENDARS).content.decode()
    assert "0 tasks" in page


def test_another_calendar_is_imported(client, works):
    address = f"{CALENDARS}{works.pk}/import-ics/"
    assert "taken over" in said(client.post(address, {**CONFIRMED, "ics": ICS, "field": "closed"}))
    works.refresh_from_db()
    assert works.closed == "sat, sun\n2099-05-01 Party"
    assert "no iCalendar file" in said(client.post(address, {**CONFIRMED, "ics": "hello", "field": "closed"}))
    viewer = person("tasks_app.view_calendar")
    assert viewer.post(address, {**CONFIRMED, "ics": ICS, "field": "open"}).status_code == 403


def test_one_that_tasks_use_is_not_deleted(client, works):
    task("nightly", schedule="@daily", calendar=works)
    page = client.post(f"{CALENDARS}{works.pk}/delete/", {"post": "yes"})
    assert "nightly" in page.content.decode()
    assert Calendar.objects.exists()


def test_one_that_none_uses_is_deleted(client, works):
    assert client.post(f"{CALENDARS}{works.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Calendar.objects.exists()


def test_a_task_that_is_not_saved_shows_what_is_closed(client, works):
    stored = task()
    preview = f"{TASKS}preview/"
    said_of = {"schedule": "0 9 * * *", "calendar": str(works.pk)}
    page = client.post(preview, form(stored, **said_of)).content.decode()
    assert "skipped: works: sat, sun" in page
    page = client.post(preview, form(stored, **said_of, on_closed="next")).content.decode()
    assert "on closed days the next open day" in page
    assert "skipped" not in page
    page = client.post(preview, form(stored, **said_of | {"schedule": "@every 1h"}, on_closed="next")).content.decode()
    assert "Only fixed times of day can be moved" in page
