"""Backfills over the REST API and on the command line."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks_app.clock import database_now
from tasks_app.dispatch.backfill import release
from tasks_app.models import Backfill, TaskRun
from tests.tasks_app.api.conftest import RUNS, TASKS, refused

pytestmark = pytest.mark.django_db
BACKFILLS = "/api/v1/backfills/"
SPAN = {"since": "2024-01-01T00:00:00Z", "until": "2024-01-04T00:00:00Z"}
DAYS = [f"2024-01-0{day}T09:00:00Z" for day in (1, 2, 3)]


@pytest.fixture
def daily(make_task):
    return make_task("daily", schedule="0 9 * * *")


def test_a_dry_run_only_lists(api, daily):
    answer = api.post(f"{TASKS}{daily.pk}/backfill/", {**SPAN, "dry_run": True})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"total": 3, "times": DAYS}
    assert not Backfill.objects.exists()


def test_from_start_to_end(api, daily):
    made = api.post(f"{TASKS}{daily.pk}/backfill/", {**SPAN, "order": "newest", "parallel": 2})
    assert made.status_code == 201, made.content
    address = f"{BACKFILLS}{made.json()['id']}/"
    begun = made.json()
    assert (begun["status"], begun["total"], begun["left"], begun["runs"]) == ("running", 3, 3, {})
    release(database_now())
    told = api.get(address).json()
    assert (told["left"], told["runs"], told["task_name"]) == (1, {"pending": 2}, "daily")
    runs = api.get(f"{RUNS}?backfill={made.json()['id']}").json()["results"]
    assert [run["scheduled_for"] for run in runs] == DAYS[1:]
    assert {(run["origin"], run["backfill"]) for run in runs} == {("backfill", made.json()["id"])}
    assert [each["id"] for each in api.get(f"{BACKFILLS}?status=running").json()["results"]] == [told["id"]]
    ended = api.post(f"{address}cancel/").json()
    assert (ended["status"], ended["runs"]) == ("cancelled", {"cancelled": 2})
    refused(api.post(f"{address}cancel/"), 409)
    assert api.get(f"{BACKFILLS}?task={daily.pk}&status=running").json()["results"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"since": None}, "since"),
        ({"until": "soon"}, "until"),
        ({"until": "2999-01-01T00:00:00Z"}, "until"),
        ({"which": "some"}, "which"),
        ({"order": "random"}, "order"),
        ({"parallel": 0}, "parallel"),
        ({"parallel": 1001}, "parallel"),
        ({"which": "failed"}, "since"),
        ({"whihc": "all"}, "whihc"),
    ],
)
def test_refused(api, daily, change, field):
    refused(api.post(f"{TASKS}{daily.pk}/backfill/", {**SPAN, **change}), 400, field)
    assert not Backfill.objects.exists()


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("backfill", *arguments, stdout=out)
    return out.getvalue()


def test_the_command(daily, broker_url):
    said = command("daily", "--since", "2024-01-01", "--until", "2024-01-04", "--plan")
    assert said.splitlines() == [*(f"2024-01-0{day} 09:00:00 UTC" for day in (1, 2, 3)), "3 nominal times."]
    assert not Backfill.objects.exists()
    said = command("default/daily", "--since", "2024-01-01", "--until", "2024-01-04", "--parallel", "3")
    row = Backfill.objects.get()
    assert f"Backfill {row.pk} has begun." in said
    assert len(release(database_now())) == TaskRun.objects.count() == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "--since", "2024-01-01"], "There is no task “nothing”."),
        (["daily", "--since", "yesterday"], "--since: “yesterday” is not a time"),
        (["daily", "--since", "2024-01-01", "--until", "2999-01-01"], "until: This must not be in the future"),
        (["daily", "--since", "2024-01-01", "--until", "2024-01-02", "--which", "failed"], "nothing to make up for"),
        (["daily", "--since", "2024-01-01", "--until", "2024-01-03", "--parallel", "0"], "parallel: "),
    ],
)
def test_what_the_command_refuses(daily, broker_url, arguments, message):
    with pytest.raises(CommandError, match=message):
        command(*arguments)
    assert not Backfill.objects.exists()


def test_until_now_if_left_out(daily, broker_url):
    since = (database_now() - timedelta(days=2)).isoformat()
    assert "2 nominal times" in command("daily", "--since", since, "--plan")
