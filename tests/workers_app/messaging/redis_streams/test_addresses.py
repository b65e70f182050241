"""Every way to name the server, through kombu's own parsing."""

import pickle
import shutil
import ssl
import subprocess
from pathlib import Path

import kombu.transport
import pytest
import redis
from kombu import Connection
from kombu.transport import redis as kombu_redis

from scheduler_project.standalone.state import free_port
from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.server import Server
from tests.workers_app.messaging.redis_streams.taker import publish
from workers_app.messaging.redis_streams import Transport, register
from workers_app.messaging.redis_streams.address import Address


def parameters(url: str, **options: object) -> dict[str, object]:
    return Address(Connection(url, **options))._parameters


def test_a_url_names_host_port_database_and_user():
    found = parameters("redis+stream://me:p%40ss%2Fword@example.org:7000/3")
    assert found["host"] == "example.org"
    assert found["port"] == 7000
    assert found["db"] == 3
    assert found["username"] == "me"
    assert found["password"] == "p@ss/word"


def test_what_is_not_named_has_defaults():
    found = parameters("redis+stream://")
    assert (found["host"], found["port"], found["db"], found["password"]) == ("127.0.0.1", 6379, 0, None)


def test_arguments_name_what_the_url_does_not():
    found = parameters("redis+stream://h", userid="u", password=lambda: "p", port=1)
    assert (found["username"], found["password"], found["port"]) == ("u", "p", 1)


def test_a_database_is_a_number():
    with pytest.raises(ValueError, match="number"):
        parameters("redis+stream://h/name")


def test_socket_options_reach_redis_py():
    options = {"socket_timeout": 3, "socket_connect_timeout": 2, "socket_keepalive": True, "client_name": "n"}
    found = parameters("redis+stream://h", transport_options=options)
    assert options.items() <= found.items()


def test_the_uri_hides_the_password_and_survives_cloning():
    connection = Connection("redis+stream://me:secret@h:1/2")
    for each in (connection, connection.clone(), pickle.loads(pickle.dumps(connection))):
        assert each.as_uri(include_password=True) == "redis+stream://me:secret@h:1/2"
        assert "secret" not in each.as_uri()
        assert isinstance(each.transport, Transport)


def test_kombus_own_transport_remains():
    assert type(Connection("redis://h").transport).__mro__[1] is kombu_redis.Transport
    assert Connection("redis+socket:///tmp/s").transport.driver_name == "redis"
    assert "redis" in Connection("redis://h").as_uri()


def test_registering_again_changes_nothing():
    before = dict(kombu.transport.TRANSPORT_ALIASES)
    register()
    assert before == kombu.transport.TRANSPORT_ALIASES


def test_the_transport_may_be_named_in_full(server):
    name = "workers_app.messaging.redis_streams:Transport"
    with Connection(f"redis://{server.address}", transport=name) as connection:
        publish(connection, "q", 1)
        assert connection.default_channel.basic_get("q").payload == 1


def test_the_next_of_a_failover_list_is_used(server):
    url = f"redis+stream://127.0.0.1:1/0;redis+stream://{server.address}"
    with Connection(url) as connection:
        connection.ensure_connection(max_retries=3, interval_start=0)
        publish(connection, "q", 1)
        assert connection.as_uri(include_password=True) == server.url
        with connection.clone() as clone:
            clone.ensure_connection(max_retries=3, interval_start=0)
            assert clone.default_channel.basic_get("q").payload == 1


def test_tls_is_taken_from_the_ssl_option():
    options = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/ca", "ssl_certfile": "/c", "ssl_keyfile": "/k"}
    address = Address(Connection("rediss+stream://h", ssl=options))
    assert address._class is redis.SSLConnection
    assert options.items() <= address._parameters.items()


def test_tls_is_taken_from_the_url():
    address = Address(Connection("rediss+stream://h/1?ssl_cert_reqs=required&ssl_ca_certs=/ca"))
    assert address._class is redis.SSLConnection
    assert address._parameters["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    assert address._parameters["ssl_ca_certs"] == "/ca"
    assert "ssl_cert_reqs" not in parameters("rediss+stream://h/1?ssl_ca_certs=/ca")


def test_tls_without_options_is_that_of_kombu():
    assert parameters("rediss+stream://h")["ssl_cert_reqs"] == ssl.CERT_NONE
    second = Connection("redis+stream://h;rediss+stream://i")
    second.maybe_switch_next()
    assert Address(second)._parameters["ssl_cert_reqs"] == ssl.CERT_NONE
    assert Address(second)._class is redis.SSLConnection


def test_a_socket_is_a_path():
    found = parameters("redis+stream+socket:///run/redis.sock?virtual_host=4")
    assert (found["path"], found["db"]) == ("/run/redis.sock", 4)
    second = Connection("redis+stream://h;redis+stream+socket:///run/redis.sock")
    second.maybe_switch_next()
    assert Address(second)._parameters["path"] == "/run/redis.sock"


def test_a_socket_carries_messages(private_server, tmp_path: Path):
    path = tmp_path / "s"
    private_server.kill()
    private_server._argv += ["--unixsocket", str(path)]
    private_server.start()
    with Connection(f"redis+stream+socket://{path}") as connection:
        publish(connection, "q", 1)
        assert connection.default_channel.basic_get("q").payload == 1


def test_a_password_is_used(private_server):
    private_server.client.config_set("requirepass", "p@ss")
    with Connection(private_server.url.replace("://", "://:p%40ss@")) as connection:
        publish(connection, "q", 1)
        assert connection.default_channel.basic_get("q").payload == 1
    with (
        Connection(private_server.url) as connection,
        pytest.raises(connection.connection_errors + connection.channel_errors),
    ):
        connection.connect()


@pytest.mark.skipif(not shutil.which("redis-server") or not shutil.which("openssl"), reason="needs both programs")
def test_tls_carries_messages(tmp_path: Path, take_from):
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(argv, check=True, capture_output=True)
    tls = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"]
    port = free_port()
    server = Server(tmp_path / "server", "redis", "--tls-port", str(port), *tls)
    server.start()
    try:
        url = f"rediss+stream://127.0.0.1:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={certificate}"
        with Connection(url) as connection:
            taker = take_from(connection, "q").drain(0.05)
            publish(connection, "q", *range(300))
            assert taker.until(300).ack().bodies == list(range(300))
            wait_until(lambda: not server.left(), what="all is confirmed")
        stranger = f"rediss+stream://127.0.0.1:{port}/0?ssl_cert_reqs=required"
        with Connection(stranger) as connection, pytest.raises(connection.connection_errors):
            connection.connect()
    finally:
        server.kill()
