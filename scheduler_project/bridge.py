"""Synchronous Django below an asynchronous server: one hop to a thread and back for each request.

The whole body is read before a thread is taken, so that slow clients hold none, and the whole answer is sent at
once. A library's bridge, which hops for every part of both, took half of the CPU of a trigger.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from a2wsgi.wsgi import build_environ

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Bridge:
    """Runs a WSGI application on `threads` lasting threads. Of a body it reads little more than `limit` bytes."""

    def __init__(self, application: Any, threads: int, limit: int) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._limit = limit

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = await self._read(receive)
        loop = asyncio.get_running_loop()
        status, headers, content = await loop.run_in_executor(self._threads, self._respond, scope, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _read(self, receive: Receive) -> bytes:
        """The body. One that is too long is cut: Django will refuse it."""
        parts: list[bytes] = []
        size = 0
        while size <= self._limit:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False):
                break
        return b"".join(parts)

    def _respond(self, scope: Any, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
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
