"""When a schedule fires: of a task, and of a text that is not saved yet."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.tasks_app.api.conftest import TASKS, refused, rows

pytestmark = pytest.mark.django_db

PREVIEW = "/api/v1/schedules/preview/"
BERLIN = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
SPRING = "2026-03-28T00:00:00Z"
"""The next night but one, 02:30 does not exist in Berlin."""


def test_the_next_fires_of_a_task(api, make_task):
    task = make_task(**BERLIN)
    answer = api.get(f"{TASKS}{task.pk}/next-fires/?count=3&after={SPRING}")
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "fires": [
            {"utc": "2026-03-28T01:30:00Z", "local": "2026-03-28T02:30:00+01:00", "mark": ""},
            {"utc": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00", "mark": "gap"},
            {"utc": "2026-03-30T00:30:00Z", "local": "2026-03-30T02:30:00+02:00", "mark": ""},
        ]
    }


def test_ten_from_now_on_unless_told_otherwise(api, make_task):
    fires = api.get(f"{TASKS}{make_task(schedule='@every 1h').pk}/next-fires/").json()["fires"]
    assert len(fires) == 10
    assert fires == sorted(fires, key=lambda fire: fire["utc"])
    assert datetime.fromisoformat(fires[0]["utc"]) > datetime.now(ZoneInfo("UTC")).replace(minute=0)


@pytest.mark.parametrize("schedule", ["", "@at 2000-01-01T00:00:00Z"])
def test_a_task_that_fires_no_more(api, make_task, schedule):
    assert api.get(f"{TASKS}{make_task(schedule=schedule).pk}/next-fires/").json() == {"fires": []}


BAD = [
    ("count", "0"),
    ("count", "-1"),
    ("count", "abc"),
    ("count", "1000"),
    ("count", "1.5"),
    ("count", "9" * 2000),
    ("after", "yesterday"),
    ("after", "2026-02-30T00:00:00Z"),
    ("after", "9999-12-31T23:59:59-12:00"),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: value[:30])
def test_garbage_in_the_question(quiet, make_task, field, value):
    task = make_task(**BERLIN)
    refused(quiet.get(f"{TASKS}{task.pk}/next-fires/", {field: value}), 400, field)
    refused(quiet.post(PREVIEW, {**BERLIN, field: value}), 400, field)


@pytest.mark.parametrize("after", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
@pytest.mark.parametrize("schedule", ["0 0 * * *", "@every 1h", "@at 2030-01-01T00:00:00"])
def test_times_at_the_edge(quiet, schedule, zone, after):
    answer = quiet.post(PREVIEW, {"schedule": schedule, "timezone": zone, "after": after})
    assert answer.status_code == 200, answer.content


def test_a_preview(api):
    before = rows()
    answer = api.post(PREVIEW, {**BERLIN, "after": SPRING, "count": 2})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert set(body) == {"fires", "words"}
    assert [fire["mark"] for fire in body["fires"]] == ["", "gap"]
    assert "02:30" in body["words"]
    assert rows() == before


def test_a_preview_needs_only_a_schedule(api):
    body = api.post(PREVIEW, {"schedule": "@daily"}).json()
    assert len(body["fires"]) == 10
    assert body["fires"][0]["utc"].endswith("T00:00:00Z")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "schedule"),
        ({"schedule": "nonsense"}, "schedule"),
        ({"schedule": "0 0 30 2 *"}, "schedule"),
        ({"schedule": 5}, "schedule"),
        ({"schedule": None}, "schedule"),
        ({"schedule": "*" * 201}, "schedule"),
        ({"schedule": "@daily", "timezone": "Mars/Olympus"}, "timezone"),
        ({"schedule": "@daily", "timezone": 5}, "timezone"),
        ({"schedule": "@daily", "timezone": ""}, "timezone"),
        ({"schedule": "@daily", "zone": "UTC"}, "zone"),
    ],
    ids=str,
)
def test_a_bad_preview(quiet, body, field):
    refused(quiet.post(PREVIEW, body), 400, field, "invalid")


@pytest.mark.parametrize(("method", "action"), [("get", "next-fires/"), ("post", "resume/")])
def test_a_stored_zone_that_is_known_no_more(quiet, make_task, method, action):
    task = make_task(schedule="@daily", timezone="Mars/Olympus", status="paused")
    refused(getattr(quiet, method)(f"{TASKS}{task.pk}/{action}"), 400, "timezone")
    task.refresh_from_db()
    assert task.status == "paused"
