"""Every kind of broker, a pytest plugin: what asks for `any_broker` is one contract, held three times."""

import os
from collections.abc import Callable

import pytest
import redis

from services import Entry
from workers_app.messaging import broker

KINDS = ("lists", "streams", "rabbitmq")
_SCHEMES = {"lists": ("redis", "rediss"), "streams": ("redis+stream", "rediss+stream")}


def address(kind: str, url: str) -> str:
    """The server's `url` in the words of the transport `kind`."""
    if kind == "rabbitmq":
        return url
    scheme, _, rest = url.partition("://")
    return f"{_SCHEMES[kind][scheme == 'rediss']}://{rest}"


@pytest.fixture(params=KINDS)
def broker_kind(request: pytest.FixtureRequest) -> str:
    """The names of the three kinds, one after the other."""
    return str(request.param)


@pytest.fixture
def broker_server(broker_kind: str, request: pytest.FixtureRequest) -> Entry:
    """The server behind it, empty."""
    entry: Entry = request.getfixturevalue("rabbitmq" if broker_kind == "rabbitmq" else "redis_server")
    empty(entry.url)
    return entry


@pytest.fixture
def any_broker(broker_kind: str, broker_server: Entry, use_broker: Callable[[str], None]) -> str:
    """The address of an empty broker of each kind, which the code under test uses."""
    url = address(broker_kind, broker_server.url)
    use_broker(url)
    return url


@pytest.fixture
def use_broker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have this process use a broker until the test ends."""
    return lambda url: monkeypatch.setitem(os.environ, "BROKER_URL", url)


def empty(url: str) -> None:
    """Delete what earlier tests left: everything on Redis, the shared queue on RabbitMQ (others expire)."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            client.flushall()
        return
    before = os.environ["BROKER_URL"]
    os.environ["BROKER_URL"] = url
    try:
        with broker.connect() as connection:
            connection.default_channel.queue_delete(broker.inbox().name)
    finally:
        os.environ["BROKER_URL"] = before
