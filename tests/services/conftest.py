"""Servers of the tests' own; whether shared ones run does not matter here."""

from collections.abc import Callable, Iterator

import pytest

from services import Server

Running = Callable[[type[Server]], Server]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`running(RabbitMQ)`: one that runs, the same for all tests, as starting it takes seconds."""
    servers: dict[type[Server], Server] = {}

    def start(kind: type[Server]) -> Server:
        if why := kind.missing():
            pytest.skip(why)
        server = servers.setdefault(kind, kind(tmp_path_factory.mktemp(kind.kind)))
        server.start()
        return server

    yield start
    for server in servers.values():
        server.kill()
        server.wipe()
