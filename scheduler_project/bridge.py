"""Synchronous Django below an asynchronous server: one hop to a thread and back for each request.

The whole body is read before a thread is taken, so that slow clients hold none, and the whole answer is sent at
once. A library's bridge, which hops for every part of both, took half of the CPU of a trigger.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any

from a2wsgi.wsgi import build_environ

from scheduler_project.admission import Admission
from scheduler_project.answers import Answer, Receive, Send, reply


class Bridge:
    """Runs a WSGI application on `threads` lasting threads. Of a body it reads little more than `limit` bytes.

    `admission` refuses requests when there are too many; without one all wait their turn.
    """

    def __init__(self, application: Any, threads: int, limit: int, admission: Admission | None = None) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._limit = limit
        self._admission = admission

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = await self._read(receive)
        if body is None:
            return
        begin: Callable[[], Future[Answer]] = partial(self._threads.submit, self._respond, scope, body)
        if self._admission:
            answer = await self._admission.answer(scope["path"], begin)
        else:
            answer = await asyncio.wrap_future(begin())
        await reply(send, answer)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; None if the client has gone before it was complete. A longer one is cut: Django refuses it."""
        parts: list[bytes] = []
        size = 0
        while size <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False):
                break
        return b"".join(parts)

    def _respond(self, scope: Any, body: bytes) -> Answer:
        answer: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], object]:
            answer[:] = [int(status.partition(" ")[0]), [(n.lower().encode(), v.encode("latin-1")) for n, v in headers]]
            return answer.append

        environ = build_environ(scope, BytesIO(body))  # type: ignore[arg-type]
        chunks = self._application(environ, start)
        try:
            content = b"".join(chunks)
        finally:
            if close := getattr(chunks, "close", None):
                close()
        return answer[0], answer[1], content
