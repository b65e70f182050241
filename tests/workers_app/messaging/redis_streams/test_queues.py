"""What a queue does: publish, take, acknowledge, give back, delete."""

import pytest
from kombu import Connection, Exchange, Producer, Queue
from kombu.exceptions import ChannelError, MessageStateError

from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.taker import publish


def test_messages_come_in_order_and_leave_nothing(connection, take, server):
    publish(connection, "q", *range(500))
    taker = take("q").until(500).ack()
    assert taker.bodies == list(range(500))
    wait_until(lambda: not server.left(), what="all is confirmed")
    taker.close()
    assert not server.streams()


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b"\x00\r\n\xff{}", {"content_type": "application/data", "content_encoding": "binary"}),
        ("first\nsecond \u20ac", {"content_type": "text/plain", "content_encoding": "utf-8"}),
        ("grüße".encode("latin-1"), {"content_type": "text/plain", "content_encoding": "latin-1"}),
        ({"a": [1, None, "\n"]}, {"serializer": "json"}),
        ({"a": (1, 2)}, {"serializer": "pickle"}),
        ({"much": "x" * 100_000}, {"serializer": "json"}),
    ],
)
def test_every_body_arrives_as_it_was(connection, take, body, options):
    publish(connection, "q", body, **options)
    taker = take("q").until(1)
    message = taker.messages[0]
    message.accept = {message.content_type}
    if isinstance(body, bytes) and message.content_encoding == "latin-1":
        body = body.decode("latin-1")
    assert message.payload == body


def test_headers_and_properties_arrive(connection, take):
    publish(connection, "q", 1, headers={"id": "7", "nested": {"a": [1]}}, correlation_id="c", priority=3)
    message = take("q").until(1).messages[0]
    assert message.headers == {"id": "7", "nested": {"a": [1]}}
    assert message.properties["correlation_id"] == "c"
    assert message.properties["priority"] == 3
    assert message.delivery_info == {"exchange": "", "routing_key": "q"}


def test_what_waits_and_what_is_held_is_counted_apart(connection, take, client):
    publish(connection, "q", 1, 2, 3)
    taker = take("q", prefetch=1).until(1)
    assert connection.default_channel.queue_declare("q", passive=True).message_count == 2
    taker.ack().until(2)
    assert connection.default_channel.queue_declare("q", passive=True).message_count == 1


def test_a_rejected_message_is_gone(connection, take, server):
    publish(connection, "q", 1)
    take("q").until(1).messages[0].reject()
    wait_until(lambda: not server.left(), what="the message is removed")


def test_a_requeued_message_comes_first_and_counts_as_redelivered(connection, take):
    publish(connection, "q", 1, 2, 3)
    taker = take("q", prefetch=1).until(1)
    assert "redelivered" not in taker.messages[0].delivery_info
    taker.messages[0].requeue()
    taker.until(2)
    assert taker.bodies == [1, 1]
    assert taker.messages[1].delivery_info["redelivered"]


def test_a_requeued_message_wakes_another_consumer(connection, connect, take):
    publish(connection, "q", 1)
    holder = take("q", prefetch=1).until(1)
    other = take("q", on=connect(), prefetch=1).drain(0.01)
    holder.consumer.cancel()
    holder.messages[0].requeue()
    assert other.until(1, seconds=2).bodies == [1]


def test_a_message_is_acknowledged_once(connection, take):
    publish(connection, "q", 1)
    message = take("q").until(1).messages[0]
    message.ack()
    with pytest.raises(MessageStateError):
        message.ack()


def test_all_up_to_one_are_acknowledged(connection, take, server):
    publish(connection, "q", 1, 2, 3)
    taker = take("q").until(3)
    taker.messages[1].ack(multiple=True)
    wait_until(lambda: server.left() == 1, what="two are confirmed")


def test_recover_gives_back_all(connection, take):
    publish(connection, "q", 1, 2, 3)
    taker = take("q").until(3)
    taker.channel.basic_recover(requeue=True)
    assert taker.until(6).bodies == [1, 2, 3, 1, 2, 3]


def test_closing_a_channel_gives_back_at_once_and_in_order(connection, connect, take):
    publish(connection, "q", *range(10))
    first = take("q", prefetch=6).until(4)
    first.messages[1].ack()
    first.close()
    assert take("q", on=connect()).until(9).bodies == [0, 2, 3, 4, 5, 6, 7, 8, 9]


def test_an_acknowledgement_after_closing_is_refused(connection, take):
    publish(connection, "q", 1)
    taker = take("q").until(1)
    taker.close()
    with pytest.raises(connection.connection_errors):
        taker.messages[0].ack()


def test_cancelling_gives_back_what_was_not_delivered_and_keeps_what_was(connection, connect, take):
    publish(connection, "q", 1, 2, 3)
    taker = take("q").until(1)
    taker.consumer.cancel()
    assert take("q", on=connect()).until(2).bodies == [2, 3]
    taker.messages[0].ack()
    assert taker.drain(0.05).bodies == [1]


def test_no_ack_consumers_leave_nothing(connection, take, server):
    publish(connection, "q", *range(300))
    taker = take("q", no_ack=True).until(300)
    publish(connection, "q", 300)
    assert taker.until(301).bodies == list(range(301))
    wait_until(lambda: not server.left(), what="nothing is left")


def test_get_takes_one(connection, server):
    publish(connection, "q", 1, 2)
    channel = connection.channel()
    first = channel.basic_get("q")
    assert (first.payload, channel.basic_get("q", no_ack=True).payload, channel.basic_get("q")) == (1, 2, None)
    first.ack()
    wait_until(lambda: not server.left(), what="nothing is left")


def test_a_simple_queue(connection):
    queue = connection.SimpleQueue("simple")
    queue.put({"a": 1})
    queue.put({"b": 2})
    assert queue.qsize() == 2
    message = queue.get(timeout=2)
    assert message.payload == {"a": 1}
    message.ack()
    assert queue.get(timeout=2).payload == {"b": 2}
    with pytest.raises(queue.Empty):
        queue.get(timeout=0.05)


def test_purging_leaves_what_is_held(connection, take, server):
    publish(connection, "q", *range(10))
    publish(connection, "q", 10, priority=9)
    taker = take("q", prefetch=2).until(2)
    assert connection.default_channel.queue_purge("q") == 9
    assert server.left() == 2
    assert connection.default_channel.queue_purge("q") == 0
    taker.ack()
    publish(connection, "q", "after")
    assert taker.until(3).bodies == [0, 1, "after"]


def test_deleting_a_queue(connection, take, server):
    channel = connection.default_channel
    publish(connection, "q", 1, 2)
    assert channel.queue_delete("q", if_empty=True) is None
    taker = take("q").until(2)
    assert channel.queue_delete("q", if_unused=True) is None
    assert server.left() == 2
    taker.close()
    assert channel.queue_delete("q", if_unused=True) == 2
    assert not server.streams()


def test_an_unknown_queue_is_not_found(connection):
    with pytest.raises(ChannelError) as caught:
        connection.default_channel.queue_declare("nowhere", passive=True)
    assert caught.value.reply_code == "404"


def test_an_auto_delete_queue_goes_with_its_last_consumer(connection, connect, take, client):
    queue = Queue("temporary", Exchange("somewhere"), routing_key="x", auto_delete=True)
    first, other = take(queue), take(queue, on=connect())
    first.drain(0.05)
    other.drain(0.05)
    first.close()
    Producer(connection.default_channel).publish(1, exchange="somewhere", routing_key="x")
    other.until(1).close()
    assert not client.keys("*")


def test_a_queue_expires_when_it_is_not_used(connect, client):
    queue = Queue("q", Exchange(""), routing_key="q", expires=0.3)
    with connect() as connection:
        Producer(connection.default_channel).publish(1, routing_key="q", declare=[queue(connection.default_channel)])
        assert client.keys("*")
        wait_until(lambda: not client.keys("*"), what="the queue has expired")


def test_a_consumer_keeps_an_expiring_queue(connection, take, client):
    taker = take(Queue("q", Exchange(""), routing_key="q", expires=0.5), prefetch=1)
    publish(connection, "q", 1, 2)
    taker.until(1)
    start = float(client.time()[0]) + client.time()[1] / 1e6
    wait_until(lambda: float(client.time()[0]) + client.time()[1] / 1e6 > start + 1.2, what="time has passed")
    assert taker.ack().until(2).bodies == [1, 2]


def test_a_message_that_is_too_old_is_dropped(connection, take, server):
    publish(connection, "q", "old", expiration=0.001)
    publish(connection, "q", "new", expiration=60)
    taker = take("q").until(1)
    assert taker.drain(0.05).bodies == ["new"]
    wait_until(lambda: server.left() == 1, what="the old one is removed")


NOISE = [
    b"\xff\xfe",
    b"{}",
    b"[]",
    b"[" * 100_000,
    b"[1, 2, 3, 4, 5, 6, 7]\n",
    b'[null, null, {}, {}, "", "", "tomorrow"]\n',
    b'[null, null, {"a": {"__type__": "uuid", "__value__": 1}}, {}, "", "", null]\n',
]


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
def test_what_is_not_a_message_is_dropped(connection, take, client, server, noise):
    taker = take("q", Queue("fan", Exchange("fan", type="fanout"))).drain(0.01)
    for stream in server.streams():
        client.xadd(stream, {"x": noise})
        client.xadd(stream, {"m": noise, "body": noise})
    client.publish("/0.stream.fan", noise)
    publish(connection, "q", 1)
    assert taker.until(1).ack().bodies == [1]
    wait_until(lambda: taker.drain(0.01) and not server.left(), what="all is removed")


def test_keys_and_topics_have_a_prefix(connect, take, client):
    connection = connect(global_keyprefix="mine:")
    exchange = Exchange("ex", type="direct")
    taker = take(Queue("q", exchange, routing_key="k"), on=connection)
    Producer(connection.default_channel).publish(1, exchange=exchange, routing_key="k")
    taker.until(1)
    assert client.keys("*")
    assert all(key.startswith(b"mine:") for key in client.keys("*"))


def test_a_url_is_enough(server):
    with Connection(server.url) as connection:
        assert connection.transport.driver_version()
        assert connection.supports_exchange_type("fanout")
        assert connection.default_channel.client.ping()
