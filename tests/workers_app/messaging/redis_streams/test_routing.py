"""Exchanges: direct, topic and fanout."""

import sys
import threading
from collections.abc import Iterator

import pytest
from kombu import Consumer, Exchange, Producer, Queue, binding

from tests.waiting import wait_until
from workers_app.messaging.redis_streams.envelope import pack, unpack


@pytest.fixture
def producer(connect) -> Producer:
    return Producer(connect().channel())


def test_a_direct_exchange_routes_by_key(connection, take, producer):
    exchange = Exchange("ex", type="direct")
    first, second = take(Queue("a", exchange, routing_key="k")), take(Queue("b", exchange, routing_key="k"))
    other = take(Queue("c", exchange, routing_key="other"))
    producer.publish(1, exchange=exchange, routing_key="k")
    producer.publish(2, exchange=exchange, routing_key="nobody")
    assert (first.until(1).bodies, second.until(1).bodies, other.drain(0.05).bodies) == ([1], [1], [])


def test_a_topic_exchange_routes_by_pattern(connection, take, producer):
    exchange = Exchange("ex", type="topic")
    stars, hashes = take(Queue("a", exchange, routing_key="*.b.c")), take(Queue("b", exchange, routing_key="x.#"))
    for key in ("x.b.c", "y.b.c", "x.y.z.w"):
        producer.publish(key, exchange=exchange, routing_key=key, declare=[exchange])
    assert stars.until(2).bodies == ["x.b.c", "y.b.c"]
    assert hashes.until(2).bodies == ["x.b.c", "x.y.z.w"]


def test_a_binding_may_end(connection, take, producer):
    exchange = Exchange("ex", type="direct")
    queue = Queue("q", [binding(exchange, routing_key="a"), binding(exchange, routing_key="b")])
    taker = take(queue)
    queue(taker.channel).unbind_from(exchange, routing_key="a")
    for key in "ab":
        producer.publish(key, exchange=exchange, routing_key=key)
    assert taker.until(1).drain(0.05).bodies == ["b"]


def test_an_exchange_may_be_deleted(connection, take, producer, client):
    exchange = Exchange("ex", type="direct")
    taker = take(Queue("q", exchange, routing_key="k"))
    exchange(taker.channel).delete(if_unused=True)
    producer.publish(1, exchange=exchange, routing_key="k")
    assert taker.until(1).bodies == [1]
    exchange(taker.channel).delete()
    producer.publish(2, exchange=exchange, routing_key="k")
    assert taker.drain(0.05).bodies == [1]


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_bindings_are_renewed_while_others_are_made(connection, restless_threads):
    channel, numbers = connection.channel(), range(20_000)

    def bind() -> None:
        for number in numbers:
            channel.state.binding_declare("q", "ex", str(number), None)

    thread = threading.Thread(target=bind)
    thread.start()
    while thread.is_alive():
        channel.bind_commands("q")
    thread.join()
    assert len(channel.bind_commands("q")) == len(numbers)


def test_bindings_that_the_server_lost_are_made_again(connect, take, client):
    connection = connect(claim_after=0.3)
    exchange = Exchange("ex", type="direct")
    taker = take(Queue("q", exchange, routing_key="k"), on=connection)
    client.flushall()
    wait_until(lambda: client.exists("_kombu.stream.binding.ex"), what="the binding is back")
    Producer(connection.channel()).publish(1, exchange=exchange, routing_key="k")
    assert taker.until(1).bodies == [1]


def test_bindings_of_queues_that_expired_are_swept(connection, client):
    channel = connection.default_channel
    Queue("q", Exchange("ex"), routing_key="k", expires=1)(channel).declare()
    member = client.zrange("_kombu.stream.binding.ex", 0, -1)[0]
    client.zadd("_kombu.stream.binding.ex", {member: 1})
    assert channel.get_table("ex") == []
    Queue("r", Exchange("ex"), routing_key="k")(channel).declare()
    assert client.zcard("_kombu.stream.binding.ex") == 1


def test_what_matches_nothing_goes_to_the_dead_letter_queue(connect):
    connection = connect(deadletter_queue="dead")
    exchange = Exchange("ex", type="direct")
    Producer(connection.default_channel).publish(1, exchange=exchange, routing_key="k", declare=[exchange])
    assert connection.default_channel.basic_get("dead").payload == 1


def test_fanout_reaches_every_listener(connect, take, producer, server):
    exchange = Exchange("fan", type="fanout")
    takers = [take(Queue(name, exchange), on=connect()) for name in "abc"]
    producer.publish(1, exchange=exchange, declare=[exchange])
    assert [taker.until(1).bodies for taker in takers] == [[1], [1], [1]]
    assert not server.streams()


def test_two_queues_of_one_channel_listen_to_one_exchange(take, producer):
    exchange = Exchange("fan", type="fanout")
    taker = take(Queue("a", exchange), Queue("b", exchange))
    producer.publish(1, exchange=exchange, declare=[exchange])
    assert taker.until(2).bodies == [1, 1]
    taker.consumer.cancel_by_queue("a")
    producer.publish(2, exchange=exchange)
    assert taker.until(3).drain(0.05).bodies == [1, 1, 2]
    taker.consumer.cancel()
    producer.publish(3, exchange=exchange)
    assert taker.drain(0.05).bodies == [1, 1, 2]


def test_fanout_keys_may_be_patterns(take, producer):
    exchange = Exchange("fan", type="fanout")
    taker = take(Queue("a", exchange, routing_key="worker.#"))
    for key in ("worker.online", "task.sent"):
        producer.publish(key, exchange=exchange, routing_key=key, declare=[exchange])
    assert taker.until(1).drain(0.05).bodies == ["worker.online"]


def test_a_fanout_message_may_be_rejected_and_requeued(take, producer):
    exchange = Exchange("fan", type="fanout")
    taker = take(Queue("a", exchange))
    producer.publish(1, exchange=exchange, declare=[exchange])
    taker.until(1).messages[0].requeue()
    assert taker.until(2).messages[1].delivery_info["redelivered"]
    taker.ack()


def test_a_batch_is_one_round_trip(connection, take, client, server):
    exchange = Exchange("ex", type="direct")
    taker = take(Queue("q", exchange, routing_key="k"))
    producer = Producer(connection.channel())
    assert producer.supports_batch_publish
    lookups = client.info("commandstats").get("cmdstat_zrangebyscore", {"calls": 0})["calls"]
    with producer.batch():
        for number in range(50):
            producer.publish(number, exchange=exchange, routing_key="k")
        producer.publish("default", routing_key="q")
        assert not server.left()
    assert taker.until(51).bodies == [*range(50), "default"]
    assert client.info("commandstats")["cmdstat_zrangebyscore"]["calls"] == lookups + 1


def test_a_batch_that_fails_sends_nothing(connection, server):
    producer = Producer(connection.channel())

    def publish_and_fail() -> None:
        with producer.batch():
            producer.publish(1, routing_key="q")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        publish_and_fail()
    assert not server.left()


def test_many_threads_publish_on_one_channel(connection, take):
    producer = Producer(connection.default_channel)
    threads = [
        threading.Thread(target=lambda: [producer.publish(1, routing_key="q") for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(take("q").until(200).drain(0.05).messages) == 200


def test_an_envelope_is_readable_and_holds_kombus_types(connection):
    message = connection.default_channel.prepare_message(b"\n\x00", headers={"raw": b"x"})
    packed = pack(message, "e", "k")
    assert packed.endswith(b"\n\n\x00")
    assert unpack(packed).headers == {"raw": b"x"}


def test_a_consumer_may_be_added_while_another_waits(connection, take):
    taker = take("a").drain(0.05)
    thread = threading.Timer(0.05, lambda: Producer(connection.clone().channel()).publish(1, routing_key="b"))
    late = Consumer(taker.channel, [Queue("b", Exchange(""), routing_key="b")], on_message=taker.messages.append)
    late.consume()
    thread.start()
    assert taker.until(1, seconds=2).bodies == [1]
    late.cancel()
