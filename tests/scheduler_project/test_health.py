"""`/healthz` and `/readyz`: quick and clear, whatever is away."""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.test import Client

from scheduler_project.standalone.state import free_port

pytestmark = pytest.mark.django_db
SECONDS = 2.5
"""The limit that is promised is 2; machines stutter."""


def ready() -> tuple[int, dict[str, str], float]:
    began = time.monotonic()
    answer = Client().get("/readyz")
    return answer.status_code, answer.json(), time.monotonic() - began


def test_all_is_well(broker_url):
    assert ready()[:2] == (200, {"status": "ok", "database": "ok", "broker": "ok"})


@pytest.fixture(params=["nobody listens", "silence", "hangs up", "unknown host"])
def dead_broker(request, monkeypatch):
    """The address of a broker that is of no use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if request.param == "nobody listens":
            port = free_port()
        if request.param == "hangs up":
            threading.Thread(target=_hang_up, args=[server], daemon=True).start()
        host = "no-such-host.invalid" if request.param == "unknown host" else "127.0.0.1"
        monkeypatch.setitem(os.environ, "BROKER_URL", f"redis://{host}:{port}/0")
        yield
        server.close()


def _hang_up(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def test_the_broker_is_away(dead_broker):
    status, body, seconds = ready()
    assert (status, body["status"], body["database"]) == (503, "unavailable", "ok")
    assert body["broker"].startswith("unreachable")
    assert seconds < SECONDS


def test_the_password_of_the_broker_stays_inside(dead_broker, monkeypatch):
    monkeypatch.setitem(os.environ, "BROKER_URL", os.environ["BROKER_URL"].replace("redis://", "redis://:hush@"))
    assert "hush" not in str(ready()[1])


def test_the_broker_comes_back(monkeypatch, valkey):
    monkeypatch.setitem(os.environ, "BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert ready()[0] == 503
    monkeypatch.setitem(os.environ, "BROKER_URL", valkey)
    assert ready()[0] == 200


@pytest.mark.only("sqlite")
def test_the_database_is_away(broker_url, monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "NAME", "/nonexistent/database")

    def ask() -> tuple[int, dict[str, str], float]:
        try:
            return ready()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:  # has a database connection of its own
        status, body, seconds = thread.submit(ask).result()
    assert (status, body["broker"]) == (503, "ok")
    assert body["database"].startswith("unreachable")
    assert seconds < SECONDS


def test_being_alive_needs_nothing(dead_broker, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_counters_are_shown_without_signing_in():
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert "# TYPE scheduler_events_total counter" in answer.content.decode()
