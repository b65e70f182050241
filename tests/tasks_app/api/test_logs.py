"""A run's output: page by page, and as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from rest_framework.test import APIClient

from tasks_app.clock import database_now
from tasks_app.models import RunLog, TaskRun
from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, refused

pytestmark = pytest.mark.django_db


def write(run: TaskRun, pieces: int, attempt: int = 1, first: int = 0) -> None:
    numbers = range(first, first + pieces)
    RunLog.objects.bulk_create(
        RunLog(run=run, position=RunLog.position_of(attempt, n), text=f"{attempt}.{n}\n") for n in numbers
    )


def test_all_output_page_by_page(api, make_run):
    run = make_run("succeeded")
    write(run, 600, attempt=1)
    write(run, 450, attempt=2)
    text, after, pages, ended = "", -1, 0, False
    while not ended:
        answer = api.get(f"{RUNS}{run.pk}/logs/?after={after}")
        assert answer.status_code == 200
        body = answer.json()
        text += "".join(piece["text"] for piece in body["logs"])
        after, ended, pages = body["next"], body["ended"], pages + 1
    assert text == "".join([f"1.{n}\n" for n in range(600)] + [f"2.{n}\n" for n in range(450)])
    assert pages == 3
    assert api.get(f"{RUNS}{run.pk}/logs/?after={after}").json() == {"logs": [], "next": after, "ended": True}


def test_a_piece_tells_its_attempt(api, make_run):
    run = make_run("running")
    write(run, 1, attempt=3)
    (piece,) = api.get(f"{RUNS}{run.pk}/logs/").json()["logs"]
    assert set(piece) == {"position", "attempt", "text", "created_at"}
    assert (piece["attempt"], piece["text"]) == (3, "3.0\n")


def test_a_run_that_goes_on_has_not_ended(api, make_run):
    run = make_run("running")
    assert api.get(f"{RUNS}{run.pk}/logs/").json() == {"logs": [], "next": -1, "ended": False}
    write(run, 2)
    body = api.get(f"{RUNS}{run.pk}/logs/").json()
    assert (len(body["logs"]), body["ended"]) == (2, False)


@pytest.mark.parametrize("after", ["-5", "-" + "9" * 30])
def test_after_less_than_all(api, make_run, after):
    run = make_run("succeeded")
    write(run, 2)
    assert len(api.get(f"{RUNS}{run.pk}/logs/?after={after}").json()["logs"]) == 2


def test_after_more_than_all(api, make_run):
    run = make_run("succeeded")
    write(run, 2)
    assert api.get(f"{RUNS}{run.pk}/logs/?after={'9' * 30}").json()["logs"] == []


@pytest.mark.parametrize("path", ["logs/", "logs/stream/"])
@pytest.mark.parametrize("after", ["abc", "1.5", "%00", "9" * 5000])
def test_garbage_after(quiet, make_run, path, after):
    refused(quiet.get(f"{RUNS}{make_run().pk}/{path}?after={after}"), 400, "after")


def test_errors_of_the_stream_are_json(quiet, make_run):
    run, events = make_run(), {"Accept": "text/event-stream"}
    refused(quiet.get(f"{RUNS}{run.pk}/logs/stream/?after=x", headers=events), 400, "after")
    refused(quiet.get(f"{RUNS}{'0' * 32}/logs/stream/", headers=events), 404)
    refused(APIClient().get(f"{RUNS}{run.pk}/logs/stream/", headers=events), 401)
    refused(quiet.get(f"{RUNS}{run.pk}/logs/stream/", headers={"Accept": "image/png"}), 406)


# --- the stream: it reads in threads of its own, so everything is committed


@pytest.fixture
def key(api: APIClient) -> dict[str, str]:
    return {"Authorization": api._credentials["HTTP_AUTHORIZATION"]}


@pytest.fixture
def run(api: APIClient, transactional_db: None) -> TaskRun:
    task = api.post(TASKS, TASK).json()["id"]
    return TaskRun.objects.select_related("task").get(pk=api.post(f"{TASKS}{task}/run/").json()["id"])


def end(run: TaskRun) -> None:
    now = database_now()
    TaskRun.objects.filter(pk=run.pk).update(status="succeeded", assigned_at=now, started_at=now, completed_at=now)


async def events(answer) -> AsyncIterator[tuple[str, int, dict]]:
    """Name, id and data of each event, comments left out."""
    rest = b""
    async for chunk in answer.streaming_content:
        *whole, rest = (rest + chunk).split(b"\n\n")
        for text in whole:
            if not text.startswith(b":"):
                fields = dict(line.split(": ", 1) for line in text.decode().split("\n"))
                yield fields["event"], int(fields["id"]), json.loads(fields["data"])
    assert not rest


@pytest.mark.parametrize("accept", [{"Accept": "text/event-stream"}, {"Accept": "*/*"}, {}])
@pytest.mark.django_db(transaction=True)
async def test_a_stream_has_all_output_and_an_end(run, key, accept):
    await sync_to_async(write)(run, 1100)
    await sync_to_async(end)(run)
    answer = await AsyncClient().get(f"{RUNS}{run.pk}/logs/stream/", headers={**key, **accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
    assert answer["Cache-Control"] == "no-cache"
    *logs, last = [event async for event in events(answer)]
    assert [(name, data["text"]) for name, _, data in logs] == [("log", f"1.{n}\n") for n in range(1100)]
    assert all(identity == data["position"] for _, identity, data in logs)
    assert last == ("end", logs[-1][1], {"status": "succeeded"})


@pytest.mark.django_db(transaction=True)
async def test_a_stream_follows_a_run_until_it_ends(run, key):
    await sync_to_async(write)(run, 1)
    answer = await AsyncClient().get(f"{RUNS}{run.pk}/logs/stream/", headers=key)
    stream = events(answer)
    async with asyncio.timeout(20):
        assert (await anext(stream))[2]["text"] == "1.0\n"
        await sync_to_async(write)(run, 1, first=1)
        assert (await anext(stream))[2]["text"] == "1.1\n"
        await sync_to_async(end)(run)
        assert (await anext(stream))[0] == "end"
        assert [event async for event in stream] == []


@pytest.mark.django_db(transaction=True)
async def test_a_stream_ends_when_its_run_is_removed(run, key):
    answer = await AsyncClient().get(f"{RUNS}{run.pk}/logs/stream/", headers=key)
    await sync_to_async(TaskRun.objects.filter(pk=run.pk).delete)()
    async with asyncio.timeout(20):
        assert [event async for event in events(answer)] == []


@pytest.mark.parametrize("how", ["query", "header"])
@pytest.mark.django_db(transaction=True)
async def test_a_stream_goes_on_where_it_broke_off(run, key, how):
    await sync_to_async(write)(run, 5)
    await sync_to_async(end)(run)
    after = RunLog.position_of(1, 2)
    query, header = (f"?after={after}", {}) if how == "query" else ("", {"Last-Event-ID": str(after)})
    answer = await AsyncClient().get(f"{RUNS}{run.pk}/logs/stream/{query}", headers={**key, **header})
    assert [data.get("text") async for _, _, data in events(answer)] == ["1.3\n", "1.4\n", None]
