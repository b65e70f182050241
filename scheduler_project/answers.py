"""Answers that need no Django: made once, sent from the event loop in microseconds."""

from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers, content."""


def ready_made(status: int, content_type: str, content: bytes, **headers: str) -> Answer:
    """An answer to be sent again and again; `retry_after="1"` is the header Retry-After."""
    known = {"content-type": content_type, "content-length": str(len(content))}
    named = known | {name.replace("_", "-"): value for name, value in headers.items()}
    return status, [(name.encode(), value.encode()) for name, value in named.items()], content


async def reply(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    status, headers, content = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
