"""What goes over the wire, and what is made of the answer."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from executors.base import Outcome
from executors.http import Http
from tests.executors.helpers import Log, context, until
from tests.executors.server import Server


async def call(
    http: Http, url: str, log: Log | None = None, trace: dict[str, str] | None = None, **config: Any
) -> Outcome:
    return await http.run(context(url, log, config=config, trace=trace or {}))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods(http: Http, server: Server, method: str) -> None:
    outcome = await call(http, server.url("status/200"), method=method)
    assert outcome == Outcome(succeeded=True, exit_code=200)
    assert server.requests[0].method == method


async def test_a_json_body(http: Http, server: Server) -> None:
    await call(http, server.url("status/200"), method="POST", json={"a": [1, None]})
    assert server.bodies == [b'{"a":[1,null]}']
    assert server.requests[0].headers["Content-Type"] == "application/json"


async def test_null_is_a_json_body_too(http: Http, server: Server) -> None:
    await call(http, server.url("status/200"), method="POST", json=None)
    assert server.bodies == [b"null"]


async def test_a_plain_body(http: Http, server: Server) -> None:
    await call(http, server.url("status/200"), method="POST", body="grüße", headers={"content-type": "text/x-mine"})
    assert server.bodies == ["grüße".encode()]
    assert server.requests[0].headers.getall("Content-Type") == ["text/x-mine"]


async def test_headers(http: Http, server: Server) -> None:
    trace = {"traceparent": "00-ours", "tracestate": "ours"}
    headers = {"X-Mine": "yes", "Traceparent": "00-theirs", "idempotency-key": "theirs"}
    await call(http, server.url("status/200"), trace=trace, headers=headers)
    sent = server.requests[0].headers
    assert sent["X-Mine"] == "yes"
    assert sent.getall("traceparent") == ["00-theirs"]
    assert sent["tracestate"] == "ours"
    assert sent.getall("Idempotency-Key") == ["0198-run"]


@pytest.mark.parametrize(
    ("status", "expected", "succeeds"),
    [
        (204, ["200-299"], True),
        (404, ["200-299"], False),
        (404, [404], True),
        (200, [404], False),
        (503, [200, "500-503"], True),
        (504, [200, "500-503"], False),
    ],
)
async def test_expected_statuses(http: Http, server: Server, status: int, expected: list[Any], succeeds: bool) -> None:
    outcome = await call(http, server.url(f"status/{status}"), expected_statuses=expected)
    assert (outcome.succeeded, outcome.exit_code) == (succeeds, status)
    assert succeeds or outcome.error.startswith(f"Unexpected status {status}")


async def test_the_log_tells_what_happened_but_no_secrets(http: Http, server: Server) -> None:
    log = Log()
    await call(http, server.url("text/answer?token=s3cret#s3cret"), log, headers={"Authorization": "Bearer s3cret"})
    assert log.text.startswith(f"GET {server.url('text/answer')} → 200 in 0.")
    assert log.text.endswith(" s\nanswer")
    assert "s3cret" not in log.text


async def test_redirects_are_followed_up_to_the_limit(http: Http, server: Server) -> None:
    log = Log()
    assert (await call(http, server.url("redirect/3"), log, max_redirects=3)).succeeded
    assert "→ " + server.url("text/arrived") in log.text
    assert "s3cret" not in log.text
    outcome = await call(http, server.url("redirect/4"), max_redirects=3)
    assert outcome.error == "More than 3 redirects; raise max_redirects or mend the URL."


async def test_without_redirects_the_redirect_is_the_answer(http: Http, server: Server) -> None:
    outcome = await call(http, server.url("redirect/1"), max_redirects=0)
    assert (outcome.succeeded, outcome.exit_code) == (False, 302)


@pytest.mark.parametrize("where", ["header", "body"])
async def test_a_slow_server(http: Http, server: Server, where: str) -> None:
    begun = time.monotonic()
    outcome = await call(http, server.url(f"hang/{where}"), total_timeout_seconds=0.2)
    assert outcome.error == "The request took longer than 0.2 s."
    assert time.monotonic() - begun < 2


async def test_a_host_that_does_not_answer(http: Http) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # With its backlog full, the kernel answers nobody.
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        outcome = await call(http, f"http://127.0.0.1:{listener.getsockname()[1]}/", connect_timeout_seconds=0.2)
        for filler in fillers:
            filler.close()
    assert outcome.error == "Connecting took longer than 0.2 s."


async def test_a_refused_connection(http: Http) -> None:
    log = Log()
    outcome = await call(http, "http://127.0.0.1:1/path?token=s3cret", log)
    assert outcome.error.startswith("Connecting to 127.0.0.1:1 failed: Connect")
    assert log.text.startswith("GET http://127.0.0.1:1/path failed: Connecting")
    assert "s3cret" not in log.text


async def test_a_host_that_does_not_exist(http: Http) -> None:
    outcome = await call(http, "http://no-such-host.invalid/")
    assert outcome.error.startswith("The host name no-such-host.invalid could not be resolved")


@pytest.mark.parametrize("where", ["header", "body"])
async def test_a_broken_connection(http: Http, server: Server, where: str) -> None:
    outcome = await call(http, server.url(f"broken/{where}"))
    assert not outcome.succeeded
    assert "connection" in outcome.error


async def test_something_that_is_not_http(http: Http) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        outcome = await call(http, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    assert outcome.error.startswith("The server's answer was not valid HTTP")


async def test_an_endless_body_is_cut_and_the_connection_closed(http: Http, server: Server) -> None:
    log = Log()
    outcome = await call(http, server.url("endless/z"), log, max_body_bytes=100_000)
    assert outcome.succeeded
    assert log.text.count("z") == 1 + 100_000  # One in the URL.
    assert log.text.endswith("\n[… cut after 100,000 bytes of the body …]\n")
    await until(lambda: not server.busy)


@pytest.mark.parametrize(("limit", "shown"), [(0, ""), (5, "answe"), (6, "answer"), (7, "answer")])
async def test_the_bodys_limit(http: Http, server: Server, limit: int, shown: str) -> None:
    log = Log()
    await call(http, server.url("text/answer"), log, max_body_bytes=limit)
    body = log.text.split(" s\n", 1)[1]
    assert body.startswith(shown)
    assert ("cut after" in body) == (limit < 6)


async def test_a_small_json_answer_is_the_result(http: Http, server: Server) -> None:
    assert (await call(http, server.url("json/10"))).result == {"text": "x" * 10}
    assert (await call(http, server.url("json/9000"))).result is None
    assert (await call(http, server.url("badjson/{]"))).result is None
    assert (await call(http, server.url("badjson/" + "[" * 3000))).result is None
    assert (await call(http, server.url("text/1"))).result is None


async def test_a_connection_is_used_again_but_cookies_are_not(http: Http, server: Server) -> None:
    for _ in range(5):
        await call(http, server.url("status/200"))
    assert len(server.connections) == 1


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS context with a certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(*pem) + signed.public_bytes(serialization.Encoding.PEM))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    return tls


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(certificate(tmp_path))
    await server.start()
    yield server
    await server.close()


async def test_an_unknown_certificate_is_refused(http: Http, tls_server: Server) -> None:
    outcome = await call(http, tls_server.url("status/200"))
    assert outcome.error.startswith("The TLS certificate of 127.0.0.1 could not be verified: self")


async def test_verification_can_be_switched_off_for_one_task_only(http: Http, tls_server: Server) -> None:
    assert (await call(http, tls_server.url("status/200"), verify_tls=False)).succeeded
    assert not (await call(http, tls_server.url("status/200"))).succeeded


async def test_tls_with_a_server_that_has_none(http: Http, server: Server) -> None:
    outcome = await call(http, server.url("status/200").replace("http:", "https:"))
    assert outcome.error.startswith("No TLS connection to 127.0.0.1:")
