"""django-celery-beat's own admin, and that what it does takes effect."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from tests.tasks_app.factories import NOW
from tests.tasks_app.periodic.rows import a_periodic_task, every, later, look_at, planned

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]

ROWS = "/admin/django_celery_beat/periodictask/"
FORM = {"name": "tick", "task": "shop.tick", "enabled": "on", "args": "[]", "kwargs": '{"a": 1}', "headers": "{}"}


@pytest.fixture
def people(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.mark.parametrize(
    "model", ["periodictask", "intervalschedule", "crontabschedule", "solarschedule", "clockedschedule"]
)
def test_its_pages_are_there(people: Client, model: str):
    a_periodic_task()
    for page in ("", "add/"):
        assert people.get(f"/admin/django_celery_beat/{model}/{page}").status_code == 200


def test_its_list_does_not_warn_of_a_scheduler_that_is_not_its_own(people: Client):
    a_periodic_task()
    assert "be dispatched unless" not in people.get(ROWS).content.decode()
    assert "Celery beat" in people.get("/admin/").content.decode()


def test_a_row_made_edited_and_deleted_there(people: Client):
    assert people.post(f"{ROWS}add/", FORM | {"interval": every(60).pk}).status_code == 302
    row = PeriodicTask.objects.get()
    PeriodicTask.objects.update(date_changed=NOW)
    look_at(NOW)
    assert planned(row) == later(60)

    edit = f"{ROWS}{row.pk}/change/"
    assert people.get(edit).status_code == 200
    assert people.post(edit, FORM | {"interval": every(30).pk, "queue": "slow"}).status_code == 302
    PeriodicTask.objects.update(date_changed=NOW)
    (message,) = look_at(later(30))
    assert (message["queue"], message["kwargs"]) == ("slow", {"a": 1})

    people.post(edit, {name: value for name, value in FORM.items() if name != "enabled"} | {"interval": every(30).pk})
    assert look_at(later(60)) == []

    people.post(f"{ROWS}{row.pk}/delete/", {"post": "yes"})
    assert not PeriodicTask.objects.exists()
    assert look_at(later(90)) == []


def test_its_actions(people: Client):
    row = a_periodic_task(interval=every(60))
    look_at(NOW)
    people.post(ROWS, {"action": "disable_tasks", "_selected_action": [row.pk]})
    assert (look_at(later(60)), planned(row)) == ([], None)
    people.post(ROWS, {"action": "enable_tasks", "_selected_action": [row.pk]})
    assert len(look_at(later(61))) == 1


def test_a_crontab_edited_there(people: Client):
    row = a_periodic_task(crontab=CrontabSchedule.objects.create(minute="30"))
    look_at(NOW)
    assert planned(row) == later(30 * 60)
    fields = {"minute": "15", "hour": "*", "day_of_month": "*", "month_of_year": "*", "day_of_week": "*"}
    inline = {"periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0"}
    address = f"/admin/django_celery_beat/crontabschedule/{row.crontab_id}/change/"
    assert people.post(address, fields | inline | {"timezone": "UTC"}).status_code == 302
    look_at(later(1))
    assert planned(row) == later(15 * 60)
