"""What is said when a server cannot be had."""

import socket
from pathlib import Path

import pytest

from services import PostgreSQL, RabbitMQ, Redis, Server, ServerError, Valkey, postgresql, rabbitmq, redis
from services.ports import HOST

WRONG: dict[type[Server], dict[str, str]] = {
    PostgreSQL: {"shared_buffers": "a lot"},
    Redis: {"no-such-setting": "1"},
}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any of the servers."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(postgresql, "PROGRAMS", tmp_path / "nothing")
    monkeypatch.setattr(rabbitmq, "SCRIPT", tmp_path / "nothing")
    monkeypatch.setattr(redis, "embedded", lambda: None)


@pytest.mark.parametrize("kind", [PostgreSQL, RabbitMQ, Redis, Valkey])
@pytest.mark.usefixtures("bare")
def test_a_missing_program_is_named(kind: type[Server], tmp_path: Path):
    assert kind.missing() == f"{kind.title} is not installed (package {kind.package})"
    with pytest.raises(ServerError, match="is not installed"):
        kind(tmp_path).start()
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_valkey_steps_in_for_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Redis.program() is None
    assert Redis.missing() == ""
    assert Redis.binary() == Valkey.binary()


def test_valkey_runs_and_has_no_tls(tmp_path: Path):
    server = Valkey(tmp_path)
    server.start()
    try:
        assert server.answers()
        assert server.tls_url == ""
    finally:
        server.kill()


@pytest.mark.parametrize("kind", WRONG)
def test_the_log_is_shown_when_it_ends_at_once(kind: type[Server], tmp_path: Path):
    if why := kind.missing():
        pytest.skip(why)
    server = kind(tmp_path, settings=WRONG[kind])
    with pytest.raises(ServerError) as caught:
        server.start()
    assert "ended while it started" in str(caught.value)
    assert next(iter(WRONG[kind])) in str(caught.value)
    assert not server.running
    server.wipe()


def test_a_taken_port_is_named(private_redis: Redis):
    private_redis.stop()
    with (
        socket.create_server((HOST, private_redis.memory["port"])),
        pytest.raises(ServerError, match="cannot have its"),
    ):
        private_redis.start()


def test_settings_are_passed_on(tmp_path: Path):
    server = Redis(tmp_path, settings={"maxmemory-policy": "allkeys-lru"})
    server.start()
    try:
        assert "allkeys-lru" in (tmp_path / "redis.conf").read_text()
    finally:
        server.kill()


def test_no_address_before_the_first_start(tmp_path: Path):
    with pytest.raises(ServerError, match="never been started"):
        _ = Redis(tmp_path).url
