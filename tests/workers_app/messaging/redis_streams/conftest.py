"""Servers of both makes, and short ways to publish and to take."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection

import workers_app.messaging.redis_streams
from tests.workers_app.messaging.redis_streams.server import Server, binary
from tests.workers_app.messaging.redis_streams.taker import Taker
from tests.workers_app.messaging.redis_streams.workers import Crew

workers_app.messaging.redis_streams.register()

Connect = Callable[..., Connection]
Take = Callable[..., Taker]


@pytest.fixture(scope="session", params=["valkey", "redis"])
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of each make for all tests that do not harm it."""
    if binary(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    server = Server(tmp_path_factory.mktemp(request.param), request.param)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The same, empty."""
    shared_server.client.flushall()
    return shared_server


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[Server]:
    """A server that writes all down and that a test may kill."""
    server = Server(tmp_path / "server", "valkey", "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def client(server: Server) -> redis.Redis:
    """To look into the server."""
    return server.client


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """Makes connections with transport options, and closes them in the end."""
    made: list[Connection] = []

    def make(url: str = "", **options: Any) -> Connection:
        made.append(Connection(url or server.url, transport_options=options))
        return made[-1]

    yield make
    for connection in made:
        connection.release()


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


@pytest.fixture
def take_from() -> Iterator[Take]:
    """Makes consumers of a connection, each on a channel of its own."""
    made: list[Taker] = []

    def make(connection: Connection, *queues: Any, prefetch: int = 0, no_ack: bool = False) -> Taker:
        made.append(Taker(connection, queues, prefetch, no_ack))
        return made[-1]

    yield make
    for taker in made:
        taker.close()


@pytest.fixture
def take(connection: Connection, take_from: Take) -> Take:
    """The same of `connection`, or `on` another one."""

    def make(*queues: Any, on: Connection | None = None, **kwargs: Any) -> Taker:
        return take_from(on or connection, *queues, **kwargs)

    return make


@pytest.fixture
def make_crew(tmp_path: Path) -> Iterator[Callable[..., Crew]]:
    """Makes Celery workers for a server; options are transport options."""
    made: list[Crew] = []

    def make(server: Server, **options: Any) -> Crew:
        made.append(Crew(server.url, tmp_path, **options))
        return made[-1]

    yield make
    for crew in made:
        crew.close()


@pytest.fixture
def crew(private_server: Server, make_crew: Callable[..., Crew]) -> Crew:
    """Workers that count as dead after a second and a half."""
    return make_crew(private_server, claim_after=1.5, block=0.5)
