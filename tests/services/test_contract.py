"""What every server does: it keeps its address and data over restarts and crashes, and leaves nothing behind."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from services import PostgreSQL, RabbitMQ, Redis, Server, ServerError, process
from tests.services.clients import get, put
from tests.services.conftest import Running
from tests.waiting import wait_until


@pytest.fixture(params=[PostgreSQL, RabbitMQ, Redis], ids=lambda kind: kind.kind)
def server(request: pytest.FixtureRequest, running: Running) -> Server:
    """One that runs; a test may stop or kill it."""
    return running(request.param)


def pid(server: Server) -> int:
    assert server.process
    return server.process.pid


def test_start_is_idempotent(server: Server):
    first = pid(server)
    server.start()
    assert pid(server) == first


def test_another_object_for_the_folder_knows_the_server(server: Server):
    again = type(server)(server.folder)
    assert again.running
    assert (again.url, again.tls_url) == (server.url, server.tls_url)


def test_data_and_address_survive_stop_and_start(server: Server):
    address = server.url
    put(server, "stopped")
    server.stop()
    assert not server.running
    server.start()
    assert server.url == address
    assert get(server) == "stopped"


def test_data_and_address_survive_a_crash(server: Server):
    server.start()
    root = psutil.Process(pid(server))
    family = [process.Process(each.pid, process.birth(each.pid)) for each in [root, *root.children(recursive=True)]]
    address = server.url
    put(server, "killed")
    server.kill()
    assert not server.running
    wait_until(lambda: not [each for each in family if each.alive], what="all its processes are gone")
    server.start()
    assert server.url == address
    assert get(server) == "killed"


def test_wipe_makes_it_empty(server: Server):
    address = server.url
    put(server, "lost")
    with pytest.raises(ServerError, match="stop it before"):
        server.wipe()
    os.kill(pid(server), signal.SIGKILL)
    wait_until(lambda: not server.running, what="the crash is noticed")
    server.wipe()
    server.start()
    assert server.url == address
    assert get(server) is None


def test_two_of_a_kind_do_not_meet(server: Server, tmp_path: Path):
    put(server, "first")
    # A path longer than any socket's may be.
    other = type(server)(tmp_path / ("long-" * 25))
    try:
        other.start()
        put(other, "second")
        assert get(server) == "first"
        other.kill()
        assert server.running
        assert get(server) == "first"
    finally:
        other.kill()
        other.wipe()


def test_secrets_are_for_the_owner_only(server: Server):
    exposed = [
        file
        for file in server.folder.iterdir()
        if file.is_file() and file.stat().st_mode & 0o077 and server.memory["password"] in file.read_text()
    ]
    assert exposed == []
