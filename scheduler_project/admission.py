"""Keeps the web service quick when there is too much to do: what cannot begin soon is refused at once.

A request that is let in waits for one of a few threads. If all the others may wait as well, every answer comes late,
and in the end none is of use to anybody. So there is a limit to how many are in, and to how long one waits.

The limit sinks while the event loop itself is late: then those that are in leave it too little of the processor to
answer anybody, and refusals would be what comes late. It falls by a fifth at each look that finds it so, and rises by
one at each that does not (additive increase, multiplicative decrease, as TCP does it: RFC 5681).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from scheduler_project.answers import Answer, Receive, Send, ready_made, reply
from workers_app.events import note_often

PATIENCE_SECONDS = 2.0
"""A request that no thread has begun in this time is refused: whoever sent it may have gone."""
LOOK_SECONDS = 0.05
"""How often it is looked whether the event loop is late."""
LATE_SECONDS = 0.02
FALL = 0.8
LEAST = 1
"""So many are let in however late it is."""
SENTENCE = "The server has too much to do at the moment. Try again in a second."

_ERROR = {"error": {"code": "too_many_requests", "message": SENTENCE, "fields": {}}}
_JSON = ready_made(429, "application/json", msgspec.json.encode(_ERROR), retry_after="1")
_PAGE = ready_made(
    429,
    "text/html; charset=utf-8",
    f"<!doctype html><title>Too many requests</title><h1>Too many requests</h1><p>{SENTENCE}</p>".encode(),
    retry_after="1",
)


class Admission:
    """Counts the requests that are in: let in, and without an answer yet. Belongs to one event loop; no locks."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._in = 0
        self._looking = False

    async def answer(self, path: str, begin: Callable[[], Future[Answer]]) -> Answer:
        """The answer of what `begin` hands to a thread, or a refusal if that would not be soon."""
        if not self._enter():
            return _refusal(path)
        try:
            return await _soon(path, begin())
        finally:
            self._in -= 1

    async def stream(self, application: Any, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Have an ASGI application answer; the request is in until the answer begins, however long that flows."""
        if not self._enter():
            await reply(send, _refusal(scope["path"]))
            return
        begun = False

        async def leave_and_send(message: dict[str, Any]) -> None:
            nonlocal begun
            self._in -= not begun
            begun = True
            await send(message)

        try:
            await application(scope, receive, leave_and_send)
        finally:
            self._in -= not begun

    def _enter(self) -> bool:
        self._look_soon()
        if self._in >= self._limit:
            note_often("shed_full", "Too much to do: answered with 429, as %d requests have no answer yet", self._in)
            return False
        self._in += 1
        return True

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            loop = asyncio.get_running_loop()
            loop.call_later(LOOK_SECONDS, self._look, loop.time() + LOOK_SECONDS)

    def _look(self, due: float) -> None:
        """Move the limit by how late the event loop calls us; rest when it is quiet and all may come in."""
        self._looking = False
        if asyncio.get_running_loop().time() - due > LATE_SECONDS:
            self._limit = max(min(LEAST, self._most), FALL * self._limit)
        else:
            self._limit = min(self._most, self._limit + 1)
        if self._in or self._limit < self._most:
            self._look_soon()


async def _soon(path: str, future: Future[Answer]) -> Answer:
    timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, future.cancel)  # not once it has begun
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        note_often("shed_late", "Too much to do: answered with 429, as no thread was free for %g s", PATIENCE_SECONDS)
        return _refusal(path)
    finally:
        timer.cancel()


def _refusal(path: str) -> Answer:
    return _JSON if path.startswith("/api/") else _PAGE
