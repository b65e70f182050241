"""Too much to do: what cannot begin soon is refused, on the event loop and with a ready-made answer."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from scheduler_project import admission
from scheduler_project.admission import Admission
from scheduler_project.bridge import Bridge
from workers_app.events import events

THREADS, MOST = 2, 6


class Work:
    """A WSGI application that answers when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.begun.append(environ["PATH_INFO"])
        assert self.go.wait(20)
        start("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read()]


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    made = Work()
    yield made
    made.go.set()


def scope(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": path, "query_string": b"", "http_version": "1.1", "headers": []}


async def ask(application: Any, path: str = "/api/v1/tasks/", *messages: dict[str, Any]) -> dict[str, Any]:
    """Send a request; return status, headers and body of the answer, or nothing if there is none."""
    coming = iter(messages or [{"type": "http.request", "body": b"hello", "more_body": False}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(coming)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope(path), receive, send)
    if not sent:
        return {}
    start, *bodies = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return {"status": start["status"], **headers, "body": b"".join(each["body"] for each in bodies)}


def many(application: Any, number: int) -> list["asyncio.Task[dict[str, Any]]"]:
    return [asyncio.create_task(ask(application, f"/api/{index}")) for index in range(number)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)


async def test_so_many_are_in_and_the_others_are_refused_at_once(work):
    bridge = Bridge(work, THREADS, 100, Admission(MOST, THREADS))
    before = events["shed_full"]
    asked = many(bridge, MOST + 5)
    await until(lambda: sum(task.done() for task in asked) == 5)
    work.go.set()
    answers = [await task for task in asked]
    assert [answer["status"] for answer in answers] == [200] * MOST + [429] * 5
    assert events["shed_full"] == before + 5
    assert len(work.begun) == MOST


async def test_a_refusal_of_the_api_has_the_one_shape(work):
    answer = await ask(Bridge(work, THREADS, 100, Admission(0, THREADS)))
    assert (answer["status"], answer["content-type"], answer["retry-after"]) == (429, "application/json", "1")
    assert int(answer["content-length"]) == len(answer["body"])
    error = json.loads(answer["body"])["error"]
    assert (error["code"], set(error)) == ("too_many_requests", {"code", "message", "fields"})


async def test_elsewhere_it_is_a_page(work):
    answer = await ask(Bridge(work, THREADS, 100, Admission(0, THREADS)), "/admin/")
    assert (answer["status"], answer["retry-after"]) == (429, "1")
    assert answer["content-type"].startswith("text/html")


async def test_there_is_room_again_when_others_are_answered(work):
    bridge = Bridge(work, THREADS, 100, Admission(MOST, THREADS))
    work.go.set()
    for _ in range(3):
        assert {(await task)["status"] for task in many(bridge, MOST)} == {200}


async def test_a_line_that_stands_lets_fewer_in(work, monkeypatch):
    """And when it is gone, all may come in again."""
    monkeypatch.setattr(admission, "STANDS_SECONDS", 0.5)
    most = 40
    gate = Admission(most, THREADS)
    bridge = Bridge(work, THREADS, 100, gate)
    asked = many(bridge, most // 2)
    async with asyncio.timeout(admission.PATIENCE_SECONDS):
        while not any(task.done() for task in asked):
            await asyncio.sleep(2 * admission.LOOK_SECONDS)
            asked += many(bridge, 1)
    assert len(asked) < most
    work.go.set()
    statuses = [(await task)["status"] for task in asked]
    assert set(statuses[: most // 2]) == {200}
    assert 429 in statuses
    await until(lambda: gate._limit == most)
    assert {(await task)["status"] for task in many(bridge, most)} == {200}


async def test_fewer_threads_work_while_the_event_loop_is_late(work):
    """Here it is held up as by threads that keep the processor busy."""
    gate = Admission(50, 8)
    bridge = Bridge(work, 8, 100, gate)
    asked = many(bridge, 1)
    async with asyncio.timeout(20):
        while gate._abreast > admission.LEAST:
            time.sleep(admission.LOOK_SECONDS + 2 * admission.LATE_SECONDS)  # noqa: ASYNC251 - that is the point
            await asyncio.sleep(0)
    asked += many(bridge, 7)
    await asyncio.sleep(0)
    assert len(work.begun) == admission.LEAST
    await until(lambda: len(work.begun) == 8)
    work.go.set()
    assert {(await task)["status"] for task in asked} == {200}


async def test_room_is_given_back_after_a_failure():
    def fail(environ: Any, start: Any) -> list[bytes]:
        raise RuntimeError("x")

    bridge = Bridge(fail, THREADS, 100, Admission(1, THREADS))
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await ask(bridge)


async def test_who_waits_too_long_is_refused_and_nothing_of_it_is_done(work, monkeypatch):
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 0.1)
    bridge = Bridge(work, THREADS, 100, Admission(MOST, THREADS))
    before = events["shed_late"]
    asked = many(bridge, MOST)
    await until(lambda: sum(task.done() for task in asked) == MOST - THREADS)
    work.go.set()
    statuses = [(await task)["status"] for task in asked]
    assert statuses == [200] * THREADS + [429] * (MOST - THREADS)
    assert len(work.begun) == THREADS
    assert events["shed_late"] == before + MOST - THREADS
    assert (await ask(bridge))["status"] == 200


async def test_a_request_that_is_broken_off_by_the_server_gives_its_room_back(work):
    bridge = Bridge(work, 1, 100, Admission(2, 1))
    running, waiting = many(bridge, 2)
    await until(lambda: len(work.begun) == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    work.go.set()
    assert (await running)["status"] == 200
    assert (await ask(bridge))["status"] == 200


async def test_without_admission_all_wait_their_turn(work):
    bridge = Bridge(work, THREADS, 100)
    asked = many(bridge, 20)
    await until(lambda: len(work.begun) == THREADS)
    work.go.set()
    assert {(await task)["status"] for task in asked} == {200}


async def test_a_client_that_leaves_while_it_sends_has_asked_nothing(work):
    bridge = Bridge(work, THREADS, 100, Admission(MOST, THREADS))
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert await ask(bridge, "/api/", part, {"type": "http.disconnect"}) == {}
    assert work.begun == []


async def test_a_slow_body_takes_no_room(work):
    bridge = Bridge(work, THREADS, 100, Admission(1, THREADS))
    slow, rest = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        slow.set()
        await rest.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    sending = asyncio.create_task(bridge(scope("/api/"), receive, send))
    await slow.wait()
    work.go.set()
    assert (await ask(bridge))["status"] == 200
    rest.set()
    await sending


async def test_a_stream_is_in_only_until_it_flows():
    room = Admission(1, THREADS)
    flows, ends, begins = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def live(scope: Any, receive: Any, send: Any) -> None:
        await begins.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        flows.set()
        await ends.wait()
        await send({"type": "http.response.body", "body": b""})

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        await room.stream(live, scope, receive, send)

    first = asyncio.create_task(ask(guarded))
    await asyncio.sleep(0)
    assert (await ask(guarded))["status"] == 429
    begins.set()
    await flows.wait()
    second = asyncio.create_task(ask(guarded))
    ends.set()
    assert [(await task)["status"] for task in (first, second)] == [200, 200]


async def test_a_stream_that_fails_gives_its_room_back():
    room = Admission(1, THREADS)

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("x")

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        await room.stream(fail, scope, receive, send)

    for _ in range(3):
        with pytest.raises(RuntimeError):
            await ask(guarded)
