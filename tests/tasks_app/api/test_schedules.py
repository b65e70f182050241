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


OPTIONS = {
    "schedule": "0 30 2 ? * MON-FRI",
    "timezone": "Europe/Berlin",
    "dialect": "quartz",
    "dst_gap": "skip",
    "dst_overlap": "second",
    "starts_at": "2026-01-01T00:00:00Z",
    "ends_at": "2027-01-01T00:00:00Z",
    "every_nth": 2,
    "spread_seconds": 60,
    "schedules": [
        {"schedule": "@every 1h", "starts_at": "2026-06-01T00:00:00Z"},
        {"schedule": "0 12 * * SAT", "timezone": "Asia/Tokyo", "dst_gap": "run_after"},
    ],
}


def test_all_that_a_schedule_may_say_is_kept(api):
    made = api.post(TASKS, {"name": "nightly", "executor": "shell", "command": "true", **OPTIONS})
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in OPTIONS} == OPTIONS
    again = api.get(f"{TASKS}{made.json()['id']}/").json()
    assert {name: again[name] for name in OPTIONS} == OPTIONS


def test_a_preview_shows_what_the_task_will_do(api):
    preview = api.post(PREVIEW, {**OPTIONS, "name": "nightly", "after": SPRING, "count": 30}).json()
    made = api.post(TASKS, {"name": "nightly", "executor": "shell", "command": "true", **OPTIONS}).json()
    fires = api.get(f"{TASKS}{made['id']}/next-fires/?count=30&after={SPRING}").json()["fires"]
    assert fires == preview["fires"]
    other = api.post(PREVIEW, {**OPTIONS, "name": "another", "after": SPRING, "count": 30}).json()
    assert other["fires"] != preview["fires"]


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"schedule": "0 0 12 * * MON"}, "schedule", 'wants "?"'),
        ({"dialect": "unix"}, "dialect", "debian, quartz"),
        ({"dst_gap": "maybe"}, "dst_gap", "run_after, skip"),
        ({"every_nth": 0}, "every_nth", "greater than or equal to 1"),
        ({"every_nth": 2.5}, "every_nth", "integer"),
        ({"starts_at": None}, "starts_at", "counted from a start"),
        ({"ends_at": "2025-01-01T00:00:00Z"}, "ends_at", "after the start"),
        ({"spread_seconds": 90_000}, "spread_seconds", "less than or equal to 86400"),
        ({"schedules": "0 9 * * *"}, "schedules", "list of at most"),
        ({"schedules": ["0 9 * * *"]}, "schedules", "1: This must be a JSON object"),
        ({"schedules": [{}]}, "schedules", "1: schedule: This must not be empty"),
        ({"schedules": [{"schedule": "@daily"}, {"schedule": "@dayly"}]}, "schedules", "2: schedule: Unknown"),
        ({"schedules": [{"schedule": "@daily", "zone": "UTC"}]}, "schedules", "1: zone: There is no such field"),
        ({"schedules": [{"schedule": "@daily", "every_nth": "2"}]}, "schedules", "1: every_nth: This must be a whole"),
        (
            {"schedules": [{"schedule": "@daily", "starts_at": "soon"}]},
            "schedules",
            "1: starts_at: This must be an ISO",
        ),
        ({"schedules": [{"schedule": "@daily", "timezone": 1}]}, "schedules", "1: timezone: This must be text"),
        ({"schedules": [{"schedule": "@after 5m"}]}, "schedule", "one of several"),
        ({"schedules": [{"schedule": "@daily"}] * 21}, "schedules", "at most 20"),
    ],
    ids=str,
)
def test_what_a_schedule_may_not_say(quiet, values, field, message):
    body = {**OPTIONS, **values}
    preview = quiet.post(PREVIEW, body)
    refused(preview, 400, field)
    assert message in preview.content.decode().replace('\\"', '"')
    made = quiet.post(TASKS, {"name": "nightly", "executor": "shell", "command": "true", **body})
    refused(made, 400, field)


@pytest.mark.parametrize(
    ("asked", "header", "words"),
    [
        ({}, "", "At 02:30"),
        ({}, "zh-CN,zh;q=0.9", "在 02:30"),
        ({"language": "en"}, "zh-CN", "At 02:30"),
        ({"language": "zh"}, "", "在 02:30"),
    ],
)
def test_words_in_the_readers_language(api, asked, header, words):
    answer = api.post(PREVIEW, {"schedule": "30 2 * * *", **asked}, headers={"Accept-Language": header})
    assert answer.json()["words"] == words
