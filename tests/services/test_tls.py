"""Encrypted connections are checked on both sides."""

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis

from services import PostgreSQL, RabbitMQ, Redis, Server
from services.certificates import make
from services.ports import ask
from tests.services.clients import rabbit
from tests.services.conftest import Running


@pytest.fixture
def rabbitmq(running: Running) -> Server:
    return running(RabbitMQ)


def test_certificates_are_made_once(tmp_path: Path):
    first = make(tmp_path).ca.read_text()
    assert make(tmp_path).ca.read_text() == first
    assert {each.name for each in tmp_path.iterdir()} == {
        "ca.pem", "server.pem", "server.key", "client.pem", "client.key", "other-ca.pem"
    }  # fmt: skip
    assert {each.stat().st_mode & 0o777 for each in tmp_path.glob("*.key")} == {0o600}


def test_postgresql(private_postgresql: PostgreSQL):
    with psycopg.connect(private_postgresql.tls_url) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
    made = private_postgresql.certificates
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(private_postgresql.tls_url.replace(str(made.ca), str(made.other_ca)))


def test_postgresql_commits_are_durable_and_need_a_password(private_postgresql: PostgreSQL):
    with psycopg.connect(private_postgresql.url) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(private_postgresql.url.replace(private_postgresql.memory["password"], "wrong"))


def test_redis(private_redis: Redis):
    if not private_redis.tls_url:
        pytest.skip("this build cannot encrypt")
    assert redis.Redis.from_url(private_redis.tls_url).ping()


@pytest.mark.parametrize(
    ("left_out", "changed"),
    [("ssl_certfile ssl_keyfile", {}), ("", {"ssl_ca_certs": "other-ca.pem"})],
    ids=["without a certificate", "another authority"],
)
def test_redis_refuses(private_redis: Redis, left_out: str, changed: dict[str, str]):
    if not private_redis.tls_url:
        pytest.skip("this build cannot encrypt")
    address, _, query = private_redis.tls_url.partition("?")
    options = {name: values[0] for name, values in parse_qs(query).items() if name not in left_out.split()}
    options |= {name: str(private_redis.certificates.folder / file) for name, file in changed.items()}
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(address, **options).ping()


def test_redis_wants_its_password(private_redis: Redis):
    assert ask(private_redis.memory["port"], b"PING\r\n").startswith(b"-NOAUTH")


def test_rabbitmq(rabbitmq: Server):
    made = rabbitmq.certificates
    with rabbit(rabbitmq, ca_certs=str(made.ca), certfile=str(made.client), keyfile=str(made.client_key)) as connection:
        assert connection.connected
        assert isinstance(connection.transport.sock, ssl.SSLSocket)


def test_rabbitmq_refuses_a_client_without_a_certificate(rabbitmq: Server):
    with pytest.raises(OSError), rabbit(rabbitmq, ca_certs=str(rabbitmq.certificates.ca)):
        pass


def test_a_client_refuses_a_rabbitmq_of_another_authority(rabbitmq: Server):
    made = rabbitmq.certificates
    tls = {"ca_certs": str(made.other_ca), "certfile": str(made.client), "keyfile": str(made.client_key)}
    with pytest.raises(ssl.SSLCertVerificationError), rabbit(rabbitmq, **tls):
        pass


def test_addresses_name_the_scheme_and_a_loopback_port(rabbitmq: Server):
    parts = urlsplit(rabbitmq.tls_url)
    assert (parts.scheme, parts.hostname, parts.port) == ("amqps", "127.0.0.1", rabbitmq.memory["tls_port"])
