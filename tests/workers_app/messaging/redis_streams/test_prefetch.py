"""How much is fetched, in which order, and from which queue."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Connection

from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.taker import plain, publish


def held(client) -> int:
    """What consumers hold, as the server knows it."""
    streams = [key for key in client.keys("*") if client.type(key) == b"stream"]
    return sum(group["pending"] for stream in streams for group in client.xinfo_groups(stream))


@pytest.mark.parametrize("prefetch", [1, 3, 10])
def test_no_more_is_fetched_than_allowed(connection, take, client, prefetch):
    for priority in (0, 3, 6, 9):
        publish(connection, "q", *range(10), priority=priority)
    taker = take("q", prefetch=prefetch).drain(0.05)
    assert len(taker.messages) == prefetch == held(client)
    taker.messages[0].ack()
    taker.until(prefetch + 1).drain(0.05)
    assert len(taker.messages) == prefetch + 1
    wait_until(lambda: held(client) == prefetch)


def test_no_more_is_fetched_when_several_streams_wake_a_reader(connection, connect, take, client):
    taker = take("q", prefetch=1).drain(0.05)
    producer = connect()
    transaction = producer.transport.link.call
    channel = producer.default_channel
    commands = [("MULTI",)]
    for priority in (9, 6, 3, 0):
        message = channel.prepare_message("x", priority=priority)
        commands += channel.commands(message, "", "q")
    transaction(*commands, ("EXEC",))
    taker.until(1).drain(0.05)
    assert len(taker.messages) == 1 == held(client)
    assert len(take("q", on=connect()).until(3).messages) == 3


def test_each_channel_has_its_own_limit(connection, take):
    publish(connection, "q", *range(10))
    first, second = take("q", prefetch=2), take("q", prefetch=3)
    first.drain(0.05)
    assert (len(first.messages), len(second.messages)) == (2, 3)


def test_the_limit_may_change(connection, take):
    publish(connection, "q", *range(10))
    taker = take("q", prefetch=1).drain(0.05)
    taker.channel.basic_qos(0, 4)
    assert len(taker.drain(0.05).messages) == 4
    taker.channel.basic_qos(0, 2)
    taker.messages[0].ack()
    assert len(taker.drain(0.05).messages) == 4


def test_celery_may_switch_prefetching_off(connection, take):
    publish(connection, "q", *range(10))
    taker = take("q", prefetch=8)
    taker.channel.qos.can_consume = lambda: len(taker.messages) < 2
    assert len(taker.drain(0.05).messages) == 2


def test_a_full_consumer_still_takes_what_needs_no_ack(connection, take):
    publish(connection, "q", 1, 2)
    publish(connection, "free", 3, 4)
    taker = take("q", prefetch=1).drain(0.05)
    free: list[Any] = []
    connection.Consumer([plain("free")], channel=taker.channel, no_ack=True, on_message=free.append).consume()
    taker.drain(0.05)
    publish(connection, "free", 5)
    taker.drain(0.05)
    assert [message.payload for message in free] == [3, 4, 5]
    assert len(taker.messages) == 1


def test_urgent_messages_come_first(connection, take):
    for priority in (9, 6, 3, 0):
        publish(connection, "q", priority, priority, priority=priority)
    assert take("q").until(8).bodies == [0, 0, 3, 3, 6, 6, 9, 9]


def test_priorities_between_steps_belong_to_the_step_below(connect, take):
    connection = connect(priority_steps=[0, 5])
    publish(connection, "q", "late", priority=7)
    publish(connection, "q", "soon", priority=4)
    assert take("q", on=connection).until(2).bodies == ["soon", "late"]


def test_an_urgent_message_waits_for_no_more_than_what_was_fetched(connection, take):
    publish(connection, "q", *range(100), priority=9)
    taker = take("q", prefetch=5).drain(0.05)
    publish(connection, "q", "urgent", priority=0)
    taker.ack().until(6)
    assert taker.bodies[5] == "urgent"


def test_queues_take_turns(connection, take):
    publish(connection, "a", *["a"] * 50)
    publish(connection, "b", *["b"] * 50)
    taker = take("a", "b", prefetch=5)
    while len(taker.messages) < 40:
        taker.drain(0.02).ack()
    assert 15 <= taker.bodies[:40].count("a") <= 25


Steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from([0, 3, 6, 9])),
        st.tuples(st.sampled_from(["take", "ack", "requeue", "reject"]), st.integers(0, 3)),
    ),
    max_size=40,
)


class Model:
    """What a queue should do, in a few lines."""

    def __init__(self) -> None:
        self.front: list[int] = []
        self.waiting: dict[int, list[int]] = {0: [], 3: [], 6: [], 9: []}

    def get(self) -> int | None:
        for line in (self.front, *self.waiting.values()):
            if line:
                return line.pop(0)
        return None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=Steps)
def test_a_queue_does_what_its_model_does(server, steps):
    server.client.flushall()
    model, held, serial = Model(), [], iter(range(1000))
    with Connection(server.url) as connection:
        channel = connection.default_channel
        for step, which in steps:
            if step == "publish":
                number = next(serial)
                publish(connection, "q", number, priority=which)
                model.waiting[which].append(number)
            elif step == "take":
                message, expected = channel.basic_get("q"), model.get()
                assert (message and message.payload) == expected
                held += [message] if message else []
            elif held:
                message = held.pop(which % len(held))
                getattr(message, step)()
                model.front += [message.payload] if step == "requeue" else []
        channel.close()
    with Connection(server.url) as connection:
        rest = []
        while message := connection.default_channel.basic_get("q", no_ack=True):
            rest.append(message.payload)
    waiting = [number for line in model.waiting.values() for number in line]
    assert sorted(rest) == sorted(model.front + [message.payload for message in held] + waiting)
    assert rest[len(rest) - len(waiting) :] == waiting
    assert not server.left()
