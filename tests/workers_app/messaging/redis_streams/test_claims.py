"""What becomes of messages whose consumer dies, freezes, or takes its time."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kombu import Connection

from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.taker import Taker, publish

ROOT = Path(__file__).parents[4]
HOLDER = """
import sys, time
from kombu import Connection, Consumer, Exchange, Queue
import workers_app.messaging.redis_streams
connection = Connection(sys.argv[1], transport_options={"claim_after": float(sys.argv[2])})
queue = Queue("q", Exchange(""), routing_key="q")
channel = connection.channel()
channel.basic_qos(0, 2)
def hold(message):
    print(message.payload, flush=True)
with connection, Consumer(channel, [queue], on_message=hold):
    while True:
        connection.drain_events()
"""


class Holder:
    """A process that takes two messages and never acknowledges them."""

    def __init__(self, url: str, claim_after: float) -> None:
        argv = [sys.executable, "-c", HOLDER, url, str(claim_after)]
        self.process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.held = [int(self.process.stdout.readline()) for _ in range(2)]

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)


@pytest.fixture
def holder(server, connect):
    publish(connect(), "q", 1, 2, 3)
    holder = Holder(server.url, 1.0)
    yield holder
    holder.process.kill()
    holder.process.wait()


def test_what_a_dead_process_held_goes_to_another(connect, take, holder, server):
    taker = take("q", on=connect(claim_after=1.0)).until(1)
    holder.signal(signal.SIGKILL)
    taker.until(3, seconds=5)
    assert sorted(taker.bodies) == [1, 2, 3]
    assert [bool(message.delivery_info.get("redelivered")) for message in taker.messages] == [False, True, True]
    taker.ack()
    wait_until(lambda: not server.left(), what="all is confirmed")


def test_what_a_live_process_holds_stays_with_it(connect, take, holder):
    taker = take("q", on=connect(claim_after=1.0))
    assert taker.drain(2.5).bodies == [3]


def test_what_a_frozen_process_held_goes_to_another_and_is_not_taken_back(connect, take, holder, server):
    holder.signal(signal.SIGSTOP)
    taker = take("q", on=connect(claim_after=1.0)).until(3, seconds=5)
    holder.signal(signal.SIGCONT)
    assert taker.drain(1.5).bodies == [3, 1, 2]
    taker.ack()
    wait_until(lambda: not server.left(), what="all is confirmed")


def test_claims_wait_for_room(connect, take, holder):
    taker = take("q", on=connect(claim_after=1.0), prefetch=1).until(1)
    holder.signal(signal.SIGKILL)
    assert taker.drain(2.0).bodies == [3]
    for count in (2, 3):
        taker.ack().until(count, seconds=5)
        assert len(taker.drain(0.05).messages) == count


def test_the_names_of_the_dead_are_forgotten(connect, take, holder, server):
    holder.signal(signal.SIGKILL)
    taker = take("q", on=connect(claim_after=0.1)).until(3, seconds=5)
    taker.ack()

    def only_ours() -> bool:
        taker.drain(0.05)
        return server.consumers() == {taker.channel.name.encode()}

    wait_until(only_ours, what="the dead consumer's name is gone")
    taker.close()
    assert not server.streams()


def test_no_message_is_too_long_for_a_consumer_without_an_event_loop(connect, take):
    publish(connect(), "q", 1)
    slow = take("q", on=connect(claim_after=0.3)).until(1)
    assert take("q", on=connect(claim_after=0.3)).drain(1.2).bodies == []
    slow.ack()


def test_a_consumer_does_not_claim_from_itself(connect, take, client):
    publish(connect(), "q", 1)
    taker = take("q", on=connect(claim_after=0.3)).until(1)
    taker.connection.transport.keeper.close()
    assert taker.drain(1.2).bodies == [1]


def test_what_was_deleted_but_not_confirmed_is_cleared_away(connect, take, client, server):
    publish(connect(), "q", 1, 2)
    dead = take("q", on=connect(claim_after=0.2)).until(2)
    dead.connection.transport.keeper.close()
    stream = dead.messages[0].channel.names.stream("q", 0)
    client.xdel(stream, client.xrange(stream)[0][0])
    assert take("q", on=connect(claim_after=0.2)).until(1, seconds=3).bodies == [2]
    wait_until(lambda: client.xpending(stream, "kombu")["pending"] == 1, what="one is left")


def test_acknowledgements_are_sent_soon_without_an_event_loop(connection, take, server):
    publish(connection, "q", 1)
    take("q").until(1).ack()
    wait_until(lambda: not server.left(), 1.0, "it is confirmed though nobody drains")


def test_any_thread_may_acknowledge(connection, take, server):
    publish(connection, "q", *range(200))
    taker = take("q", prefetch=10)
    done = threading.Event()
    acked = set()

    def work() -> None:
        while not done.is_set():
            for message in list(taker.messages):
                if message.delivery_tag not in acked:
                    acked.add(message.delivery_tag)
                    message.ack()
            time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert taker.until(200).bodies == list(range(200))
        wait_until(lambda: not server.left(), what="all is confirmed")
    finally:
        done.set()
        thread.join()


def test_a_connection_that_is_forgotten_does_not_keep_its_messages(server, connect, take):
    publish(connect(), "q", 1)
    holder = Connection(server.url, transport_options={"claim_after": 0.3})
    Taker(holder, ["q"]).until(1)
    del holder
    gc.collect()
    assert take("q", on=connect(claim_after=0.3)).until(1, seconds=3).bodies == [1]


def test_a_forked_child_leaves_its_parents_messages_alone(connection, take, server):
    publish(connection, "q", 1, 2)
    taker = take("q", prefetch=1).until(1)
    child = os.fork()
    if child == 0:
        try:
            connection.transport.after_fork()
            publish(connection, "other", 7)
            connection.release()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert taker.ack().until(2).bodies == [1, 2]
    assert connection.default_channel.basic_get("other").payload == 7
