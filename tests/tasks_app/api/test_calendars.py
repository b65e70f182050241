"""Calendars over the REST API, and tasks that follow them."""

import pytest

from access_app.models import Namespace
from tasks_app.models import Calendar, Task
from tests.tasks_app.api.conftest import TASK, TASKS, refused

pytestmark = pytest.mark.django_db
CALENDARS = "/api/v1/calendars/"
PREVIEW = "/api/v1/schedules/preview/"
WORKS = {"name": "works", "closed": "sat, sun\n12-25 Christmas Day"}
FIELDS = {"id", "name", "namespace", "description", "kind", "closed", "open", "timezone", "for_all"}
FIELDS |= {"created_at", "updated_at"}
ICS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20990501\nSUMMARY:Party\nEND:VEVENT\nEND:VCALENDAR\n"


@pytest.fixture
def works() -> Calendar:
    return Calendar.objects.create(**WORKS)


def test_create_read_edit_delete(api):
    made = api.post(CALENDARS, WORKS)
    assert made.status_code == 201, made.content
    assert set(made.json()) == FIELDS
    address = f"{CALENDARS}{made.json()['id']}/"
    assert api.get(address).json() == made.json()
    edited = api.patch(address, {"open": "2027-03-06 Make-up"}).json()
    assert (edited["open"], edited["closed"]) == ("2027-03-06 Make-up", WORKS["closed"])
    assert [each["name"] for each in api.get(CALENDARS, {"name": "works"}).json()["results"]] == ["works"]
    assert api.delete(address).status_code == 204
    assert not Calendar.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"closed": "satday"}, "closed"),
        ({"open": "2027-02-30"}, "open"),
        ({"kind": "white"}, "kind"),
        ({"timezone": "Mars"}, "timezone"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"namespace": "nowhere"}, "namespace"),
        ({"days": "sat"}, "days"),
        ({"for_all": "perhaps"}, "for_all"),
    ],
)
def test_refused(api, change, field):
    refused(api.post(CALENDARS, {**WORKS, **change}), 400, field)
    assert not Calendar.objects.exists()


def test_names_are_unique(api, works):
    refused(api.post(CALENDARS, WORKS), 400, "name")


def test_closed_days(api, works):
    answer = api.get(f"{CALENDARS}{works.pk}/days/", {"since": "2027-12-24", "until": "2027-12-27"})
    assert answer.json() == {
        "days": [
            {"date": "2027-12-25", "name": "sat, sun"},
            {"date": "2027-12-26", "name": "sat, sun"},
        ]
    }
    assert len(api.get(f"{CALENDARS}{works.pk}/days/").json()["days"]) > 100
    for query in ({"since": "2027-12-24", "until": "2027-12-24"}, {"since": "2027-01-01", "until": "2099-01-01"}):
        refused(api.get(f"{CALENDARS}{works.pk}/days/", query), 400, "until")
    refused(api.get(f"{CALENDARS}{works.pk}/days/", {"since": "today"}), 400, "since")


def test_import_of_another_calendar(api, works):
    address = f"{CALENDARS}{works.pk}/import-ics/"
    for _ in range(2):
        assert api.post(address, {"ics": ICS}).json()["closed"] == f"{WORKS['closed']}\n2099-05-01 Party"
    assert api.post(address, {"ics": ICS, "field": "open", "replace": True}).json()["open"] == "2099-05-01 Party"
    refused(api.post(address, {"ics": "hello"}), 400, "ics")
    refused(api.post(address, {"ics": ICS, "field": "name"}), 400, "field")


def test_a_task_follows_a_calendar(api, works):
    made = api.post(TASKS, {**TASK, "schedule": "0 9 * * *", "calendar": "works"}).json()
    assert (made["calendar"], made["on_closed"]) == ("works", "skip")
    fires = api.get(f"{TASKS}{made['id']}/next-fires/?count=4&after=2027-03-04T00:00:00Z").json()["fires"]
    assert [fire.get("closed") for fire in fires] == [None, None, "works: sat, sun", "works: sat, sun"]
    edited = api.patch(f"{TASKS}{made['id']}/", {"on_closed": "next"}).json()
    assert edited["on_closed"] == "next"
    fires = api.get(f"{TASKS}{made['id']}/next-fires/?count=3&after=2027-03-04T00:00:00Z").json()["fires"]
    assert [fire["utc"] for fire in fires] == ["2027-03-04T09:00:00Z", "2027-03-05T09:00:00Z", "2027-03-08T09:00:00Z"]
    refused(api.delete(f"{CALENDARS}{works.pk}/"), 409)
    cleared = api.patch(f"{TASKS}{made['id']}/", {"calendar": None, "on_closed": "skip"})
    assert cleared.json()["calendar"] is None
    assert api.delete(f"{CALENDARS}{works.pk}/").status_code == 204


def test_what_a_task_may_not_do_with_calendars(api, works):
    other = Namespace.objects.create(name="other")
    Calendar.objects.create(name="theirs", namespace=other)
    task = {**TASK, "schedule": "0 9 * * *"}
    refused(api.post(TASKS, {**task, "calendar": "nothing"}), 400, "calendar")
    refused(api.post(TASKS, {**task, "calendar": "theirs"}), 400, "calendar")
    refused(api.post(TASKS, {**task, "on_closed": "next"}), 400, "on_closed")
    refused(api.post(TASKS, {**task, "calendar": "works", "on_closed": "later"}), 400, "on_closed")
    moved = {**task, "calendar": "works", "on_closed": "next"}
    refused(api.post(TASKS, {**moved, "schedule": "@every 1h"}), 400, "on_closed")
    assert not Task.objects.exists()


def test_preview(api, works):
    wish = {"schedule": "0 9 6 * *", "calendar": "works", "on_closed": "previous", "count": 1}
    answer = api.post(PREVIEW, {**wish, "after": "2027-03-04T00:00:00Z"}).json()
    assert answer["fires"] == [
        {"utc": "2027-03-05T09:00:00Z", "local": "2027-03-05T09:00:00+00:00", "mark": "moved"},
    ]
    assert answer["words"].endswith("on closed days the open day before")
