"""A server that is away, forgets, does not answer, or may not be written to."""

import pytest
import redis
from kombu import Connection
from redis.exceptions import ReadOnlyError, ResponseError

from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.taker import publish
from workers_app.messaging.redis_streams.link import refused


@pytest.fixture
def private(private_server) -> Connection:
    with Connection(private_server.url, transport_options={"claim_after": 0.3, "block": 0.2}) as connection:
        yield connection


@pytest.mark.parametrize("mode", ["waiting", "between reads"])
def test_a_server_that_forgets_all_is_used_on(server, connection, take, client, mode):
    publish(connection, "q", 0)
    taker = take("q", "r").until(1)
    if mode == "waiting":
        taker.drain(0.1)
    client.flushall()
    publish(connection, "q", 1)
    publish(connection, "r", 2, priority=9)
    assert sorted(taker.until(3, seconds=8).bodies) == [0, 1, 2]
    taker.ack()
    wait_until(lambda: not server.left(), what="all is confirmed")


def test_a_queue_deleted_under_its_consumer_is_made_again(connection, take):
    taker = take("q").drain(0.05)
    connection.default_channel.queue_delete("q")
    publish(connection, "q", 1)
    assert taker.until(1, seconds=8).bodies == [1]


def test_scripts_that_the_server_lost_are_sent_again(connection, take, client):
    taker = take("q").drain(0.05)
    client.script_flush()
    publish(connection, "q", 1, 2, 3)
    assert taker.until(3).bodies == [1, 2, 3]
    client.script_flush()
    taker.messages[0].requeue()
    assert taker.until(4).bodies == [1, 2, 3, 1]


def test_a_lost_server_is_a_connection_error(private, private_server, take_from):
    taker = take_from(private, "q").drain(0.05)
    private_server.kill()
    with pytest.raises(private.connection_errors):
        taker.drain(1.0).drain(1.0)
    with pytest.raises(private.connection_errors):
        publish(private, "q", 1)
    with pytest.raises(private.connection_errors):
        private.clone().connect()


def test_a_server_that_comes_back_has_kept_all(private, private_server, take_from):
    publish(private, "q", 1, 2, 3)
    taker = take_from(private, "q", prefetch=2).drain(0.05)
    taker.messages[0].ack()
    wait_until(lambda: private_server.left() == 2)
    private_server.kill()
    private_server.start()
    taker.close()
    with Connection(private_server.url, transport_options={"claim_after": 0.3, "block": 0.2}) as again:
        assert sorted(take_from(again, "q").until(2, seconds=5).bodies) == [2, 3]


def test_a_connection_lost_with_messages_on_the_way_loses_none(connect, take, client, server):
    publish(connect(), "q", *range(20))
    first = connect(claim_after=0.3)
    taker = take("q", on=first, prefetch=5).until(1)
    taker.connection.transport._pump()
    client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(first.connection_errors):
        wait_until(lambda: not taker.ack().drain(0.05))
    done = set(taker.bodies)
    taker.close()
    rest = take("q", on=connect(claim_after=0.3))
    wait_until(lambda: done | set(rest.drain(0.1).ack().bodies) >= set(range(20)), what="every message came")
    wait_until(lambda: rest.drain(0.05).ack() and not server.left(), what="all is confirmed")


def test_a_publisher_connects_again_after_it_was_idle(connection, client, monkeypatch):
    monkeypatch.setattr("workers_app.messaging.redis_streams.link.IDLE_SECONDS", -1.0)
    publish(connection, "q", 1)
    client.client_kill_filter(_type="normal", skipme=True)
    publish(connection, "q", 2)
    assert connection.default_channel.queue_declare("q", passive=True).message_count == 2


def test_a_server_that_does_not_answer_is_noticed(private_server, take_from):
    options = {"socket_timeout": 0.5}
    with Connection(private_server.url, transport_options=options) as connection:
        taker = take_from(connection, "q").drain(0.05)
        private_server._process.send_signal(19)
        try:
            with pytest.raises(connection.connection_errors, match="in time"):
                taker.drain(5.0)
        finally:
            private_server._process.send_signal(18)


def test_a_replica_is_refused(private, private_server):
    private_server.client.replicaof("127.0.0.1", "1")
    with pytest.raises(private.connection_errors):
        private.connect()


def test_a_replica_is_refused_in_use_too(private, private_server, take_from):
    taker = take_from(private, "q").drain(0.05)
    private_server.client.replicaof("127.0.0.1", "1")
    with pytest.raises(private.connection_errors):
        wait_until(lambda: publish(private, "q", 1))
    with pytest.raises(private.connection_errors):
        wait_until(lambda: not taker.drain(0.3))
    private_server.client.replicaof("NO", "ONE")


def test_error_replies_of_a_server_that_cannot_serve_are_connection_errors():
    old = ResponseError("Error running script: @user_script:1: -READONLY You can't write")
    for error in (old, ReadOnlyError("You can't write"), ResponseError("MASTERDOWN Link with MASTER is down")):
        assert isinstance(refused(error), redis.ConnectionError)
    other = ResponseError("WRONGTYPE")
    assert refused(other) is other


def test_an_idle_consumer_asks_for_next_to_nothing(connect, take, server):
    taker = take("q", "r", on=connect()).drain(0.1)
    before = server.commands()
    taker.drain(1.5)
    assert server.commands() - before <= 4


def test_a_waiting_consumer_does_not_need_permission_to_unblock(private, private_server, take_from):
    private_server.client.acl_setuser(
        "limited", enabled=True, passwords=["+p"], keys=["*"], channels=["*"], commands=["+@all", "-client|unblock"]
    )
    url = private_server.url.replace("://", "://limited:p@")
    with Connection(url, transport_options={"block": 0.3}) as connection:
        taker = take_from(connection, "q").drain(0.05)
        late = take_from(connection, "r")
        publish(connection, "r", 1)
        assert late.until(1, seconds=3).bodies == [1]
        taker.close()
