"""Sends a request and judges the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import aiohttp
import msgspec
from msgspec import UNSET
from multidict import CIMultiDict
from yarl import URL

from executors.base import RESULT_BYTES, ConfigError, Context, Outcome
from executors.specs import HTTP, HttpConfig, status_range

_CLOSING = "the executor is closing"


class RequestError(Exception):
    """No whole answer came; the text is a sentence for the user."""


class Http:
    """The executor for HTTP calls: one session whose connections all attempts share."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        """Those that are in `run`."""

    async def start(self) -> None:
        """Open the session."""
        self._session = self._session or aiohttp.ClientSession(
            # The worker's slots are the limit. Cookies of one task are none of another's business.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "task-scheduler", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close the session; requests still on their way fail at once."""
        if self._session:
            for task in self._tasks:  # A closed session alone would leave them waiting.
                task.cancel(_CLOSING)
            await self._session.close()
            self._session = None

    async def run(self, context: Context) -> Outcome:
        """Send the request; the answer's status becomes the exit code, its body goes to `context.log`."""
        if self._session is None:
            return Outcome(succeeded=False, error="The worker is not sending requests now.")
        try:
            config = cast(HttpConfig, HTTP.check(context.command, context.config))
            with self._until_closed(), _as_sentences(config):
                return await _request(self._session, context, config)
        except ConfigError as error:
            return Outcome(succeeded=False, error=f"{error.field}: {error.message}")
        except RequestError as error:
            context.log(f"{config.method} {_shown(URL(context.command))} failed: {error}\n".encode())
            return Outcome(succeeded=False, error=str(error))

    @contextmanager
    def _until_closed(self) -> Iterator[None]:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError as error:
            if error.args == (_CLOSING,) and not task.uncancel():
                raise RequestError("The worker stopped before the answer came.") from error
            raise
        finally:
            self._tasks.discard(task)


async def _request(session: aiohttp.ClientSession, context: Context, config: HttpConfig) -> Outcome:
    begun = time.monotonic()
    headers, body = _headers_and_body(context, config)
    async with session.request(
        config.method,
        context.command,
        headers=headers,
        data=body,
        ssl=config.verify_tls,
        allow_redirects=config.max_redirects > 0,
        max_redirects=config.max_redirects + 1,  # aiohttp means the one at which it gives up
        timeout=aiohttp.ClientTimeout(total=config.total_timeout_seconds, connect=config.connect_timeout_seconds),
    ) as response:
        context.log(f"{_summary(context, config, response)} in {time.monotonic() - begun:.3f} s\n".encode())
        captured = await _read(response, config.max_body_bytes, context)
    succeeded = any(response.status in status_range(expected) for expected in config.expected_statuses)
    return Outcome(
        succeeded=succeeded,
        exit_code=response.status,
        result=_result(response, captured),
        error="" if succeeded else f"Unexpected status {response.status} {response.reason or ''}".rstrip() + ".",
    )


def _headers_and_body(context: Context, config: HttpConfig) -> tuple[CIMultiDict[str], bytes | None]:
    headers = CIMultiDict(context.trace)
    headers.update(config.headers)
    headers["Idempotency-Key"] = context.run_id
    if config.json is not UNSET:
        headers.setdefault("Content-Type", "application/json")
        return headers, msgspec.json.encode(config.json)
    if config.body is not None:
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return headers, config.body.encode()
    return headers, None


async def _read(response: aiohttp.ClientResponse, limit: int, context: Context) -> bytes | None:
    """Log the body up to `limit` bytes; return it, or None if there is more."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        part = chunk[: limit - len(body)]
        body += part
        if part:
            context.log(part)
        if len(part) < len(chunk):
            response.close()  # Whatever is still to come, the connection cannot serve another request.
            length = f" of {response.content_length:,}" if response.content_length else ""
            context.log(f"\n[… cut after {limit:,}{length} bytes of the body …]\n".encode())
            return None
    return bytes(body)


def _result(response: aiohttp.ClientResponse, body: bytes | None) -> object:
    is_json = response.content_type == "application/json" or response.content_type.endswith("+json")
    if not is_json or not body or len(body) > RESULT_BYTES:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):  # It is in the log as it came.
        return None


def _summary(context: Context, config: HttpConfig, response: aiohttp.ClientResponse) -> str:
    redirected = f" → {_shown(response.url)}" if response.history else ""
    return f"{config.method} {_shown(URL(context.command))}{redirected} → {response.status}"


def _shown(url: URL) -> str:
    """Without the query, which may hold secrets."""
    return str(url.with_query(None).with_fragment(None))


@contextmanager
def _as_sentences(config: HttpConfig) -> Iterator[None]:
    try:
        yield
    except aiohttp.TooManyRedirects as error:
        raise RequestError(
            f"More than {config.max_redirects} redirects; raise max_redirects or mend the URL."
        ) from error
    except aiohttp.ConnectionTimeoutError as error:
        raise RequestError(f"Connecting took longer than {config.connect_timeout_seconds:g} s.") from error
    except TimeoutError as error:
        raise RequestError(f"The request took longer than {config.total_timeout_seconds:g} s.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise RequestError(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"The host name {error.host} could not be resolved: {error.strerror}."
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return f"The TLS certificate of {error.host} could not be verified: {why}."
        case aiohttp.ClientConnectorSSLError():
            return f"No TLS connection to {error.host}:{error.port} could be made: {error.strerror}."
        case aiohttp.ClientConnectorError():
            return f"Connecting to {error.host}:{error.port} failed: {error.strerror}."
        case aiohttp.InvalidURL():
            return "The URL, or one that was redirected to, is not valid."
        case aiohttp.ServerDisconnectedError():
            return "The server closed the connection without an answer."
        case aiohttp.ClientPayloadError():
            return "The connection broke before the answer was complete."
        case aiohttp.ClientResponseError():
            return f"The server's answer was not valid HTTP: {error.message}."
    return f"The request failed: {error or type(error).__name__}."
