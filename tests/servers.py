"""Fixtures for real servers, a pytest plugin: the shared ones of `make services`, and private ones to be killed.

A test that asks for a shared server which is not there is skipped, and the summary says which and why.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import services
from services import Entry, PostgreSQL, RabbitMQ, Redis, Server

S = TypeVar("S", bound=Server)
_left_out: dict[str, str] = {}
"""Title → why; those that tests asked for in vain."""


@pytest.fixture(scope="session")
def postgresql() -> Entry:
    return _shared(PostgreSQL)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    yield from _one_s_own(RabbitMQ, tmp_path_factory)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    yield from _one_s_own(Redis, tmp_path_factory)


@pytest.fixture
def private_postgresql(tmp_path: Path) -> Iterator[PostgreSQL]:
    yield from _private(PostgreSQL(tmp_path / "postgresql"))


@pytest.fixture
def private_rabbitmq(tmp_path: Path) -> Iterator[RabbitMQ]:
    yield from _private(RabbitMQ(tmp_path / "rabbitmq"))


@pytest.fixture
def private_redis(tmp_path: Path) -> Iterator[Redis]:
    yield from _private(Redis(tmp_path / "redis"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _left_out:
        return
    terminalreporter.section("servers left out")
    for title, why in _left_out.items():
        terminalreporter.line(f"{title}: {why}. Tests that need it were skipped; `make services` brings it.")


def _shared(server: type[Server]) -> Entry:
    known = services.load()
    entry: Entry | None = getattr(known, server.kind)
    if entry is None:
        _skip(server, known.missing[server.kind])
    return entry


def _one_s_own(server: type[Server], factory: pytest.TempPathFactory) -> Iterator[Entry]:
    """Tests empty their broker: of several test processes the first has the shared one, each other one of its own."""
    entry = _shared(server)
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        yield entry
        return
    for own in _private(server(factory.mktemp(server.kind), services.load().certificates)):
        yield Entry(own.url, own.tls_url)


def _private(server: S) -> Iterator[S]:
    if why := server.missing():
        _skip(type(server), why)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        server.wipe()


def _skip(server: type[Server], why: str) -> None:
    first_line = why.partition("\n")[0].rstrip(".")
    _left_out[server.title] = first_line
    pytest.skip(f"{server.title} is missing: {first_line}. make services")
