"""How a message lies in the server: one line of JSON that says what it is, then the body as it was given.

One field, no base64: the body may hold any bytes and is neither copied into JSON nor escaped. JSON written with
ASCII escapes holds no line feed, so the first one ends it.
"""

import json
import time
from typing import Any, NamedTuple

from kombu.utils import json as kombu_json

_encode = kombu_json.JSONEncoder(separators=(",", ":")).encode


class Envelope(NamedTuple):
    """A message as `unpack` found it."""

    content_type: str | None
    content_encoding: str | None
    headers: dict[str, Any]
    properties: dict[str, Any]
    exchange: str
    routing_key: str
    expires: float | None
    body: bytes


def pack(message: dict[str, Any], exchange: str, routing_key: str) -> bytes:
    """The bytes of a message that `Channel.prepare_message` made."""
    body = message["body"]
    properties = message["properties"]
    properties.pop("delivery_info", None)
    expiration = properties.get("expiration")
    head = _encode(
        (
            message["content-type"],
            message["content-encoding"],
            message["headers"],
            properties,
            exchange,
            routing_key,
            time.time() + int(expiration) / 1000 if expiration else None,
        )
    )
    return b"%b\n%b" % (head.encode(), body.encode() if isinstance(body, str) else bytes(body or b""))


def unpack(payload: bytes) -> Envelope:
    """Raises `ValueError` for what is not one of ours, whatever it is: anyone may have put it there."""
    head, _, body = payload.partition(b"\n")
    # kombu's decoder looks into every object for its marked types; nearly no message has any.
    loads = kombu_json.loads if b"__type__" in head else json.loads
    try:
        envelope = Envelope._make((*loads(head), body))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"not a message: {error}") from error
    if not (isinstance(envelope.headers, dict) and isinstance(envelope.properties, dict)):
        raise ValueError("not a message: no headers or no properties")
    if not isinstance(envelope.expires, int | float | None):
        raise ValueError("not a message: no time")
    return envelope
