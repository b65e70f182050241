"""Keeps the web service quick when there is too much to do: what cannot begin soon is refused at once.

A request that is let in waits for one of a few threads. If all the others may wait as well, every answer comes late,
and in the end none is of use to anybody. So there is a limit to how many are in, and to how long one waits.

Two limits move, down by a fifth and up by one (RFC 5681 does so for TCP). While the event loop is late, fewer threads
work abreast: they leave it too little of the processor to answer anybody else, and at the same work they are no slower.
While the line before the threads stands, that is, was not empty for a while, fewer requests are let in: such a line is
no burst that will pass, and only makes all of them late (Nichols and Jacobson, Controlling Queue Delay, 2012).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from scheduler_project.answers import Answer, Receive, Send, ready_made, reply
from workers_app.events import note_often

PATIENCE_SECONDS = 2.0
"""A request that no thread has begun in this time is refused: whoever sent it may have gone."""
LOOK_SECONDS = 0.05
"""How often the limits are moved."""
LATE_SECONDS = 0.05
"""An event loop that comes so much later to what is due is late."""
STANDS_SECONDS = 3.0
"""A line that was never empty for so long is no burst."""
LEAST = 3
"""So many threads work however late it is: they wait for the database by turns."""
FALL = 0.8
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

    def __init__(self, most: int, threads: int) -> None:
        self._most, self._threads = most, threads
        self._limit, self._abreast = float(most), float(threads)
        self._in = self._working = 0
        self._line: deque[asyncio.Future[bool]] = deque()
        self._stands_since = 0.0
        self._looking = False

    async def answer(self, path: str, begin: Callable[[], Future[Answer]]) -> Answer:
        """The answer of what `begin` hands to a thread, or a refusal if that would not be soon."""
        if not self._enter():
            return _refusal(path)
        try:
            if not await self._turn():
                why = "Too much to do: answered with 429, as no thread was free for %g s"
                note_often("shed_late", why, PATIENCE_SECONDS)
                return _refusal(path)
            try:
                return await asyncio.wrap_future(begin())
            finally:
                self._leave()
        finally:
            self._in -= 1

    async def _turn(self) -> bool:
        """Wait in line for a thread; False if that takes too long."""
        loop = asyncio.get_running_loop()
        if not self._line:
            if self._working < self._abreast:
                self._working += 1
                return True
            self._stands_since = loop.time()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append(turn)
        timer = loop.call_later(PATIENCE_SECONDS, _resolve, turn, False)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self._leave()
            raise
        finally:
            timer.cancel()

    def _leave(self) -> None:
        self._working -= 1
        self._call_in()

    def _call_in(self) -> None:
        """Those first in line, as threads are free."""
        while self._line and (self._working < self._abreast or self._line[0].done()):
            self._working += _resolve(self._line.popleft(), True)

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
        """Move the limits; rest when it is quiet and they are where they were."""
        self._looking = False
        now = asyncio.get_running_loop().time()
        stands = bool(self._line) and now - self._stands_since > STANDS_SECONDS
        self._abreast = _moved(self._abreast, now - due > LATE_SECONDS, LEAST, self._threads)
        self._limit = _moved(self._limit, stands, self._threads, self._most)
        self._call_in()
        if self._in or self._abreast < self._threads or self._limit < self._most:
            self._look_soon()


def _moved(limit: float, down: bool, least: int, most: int) -> float:
    return min(float(most), max(float(least), FALL * limit) if down else limit + 1)


def _resolve(turn: "asyncio.Future[bool]", mine: bool) -> bool:
    """Tell somebody in line whether it is his turn; False if he knows already, or has gone."""
    if turn.done():
        return False
    turn.set_result(mine)
    return True


def _refusal(path: str) -> Answer:
    return _JSON if path.startswith("/api/") else _PAGE
