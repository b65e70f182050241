"""A worker is told to stop while its broker fails: runs still have their time, and are told of or handed back."""

import signal

import pytest

from services import Server
from tests.acceptance.harness import Stack, postgresql_database, running
from tests.brokers import address
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

KINDS = ("streams", "lists", "rabbitmq")


@pytest.fixture(params=KINDS)
def broker(request) -> Server:
    return request.getfixturevalue("private_rabbitmq" if request.param == "rabbitmq" else "private_redis")


@pytest.fixture
def busy(request, broker, make_stack, postgresql):
    """A worker with a short run and an endless one that shall start once at most."""
    url = address(request.node.callspec.params["broker"], broker.url)
    stack = make_stack(broker_url=url, database=postgresql_database(postgresql.url))
    stack.web()
    stack.dispatcher()
    worker = stack.worker("first", WORKER_GRACE_SECONDS="6")
    # RabbitMQ 3.10 may lose a quorum queue that it made less than a second before it was killed.
    stack.wait_for(stack.run(stack.task("sleep 1.5", name="first")))
    short = stack.run(stack.task("sleep 3.9", name="short"))
    endless = stack.run(stack.task("sleep 66.4", name="endless", delivery="at_most_once"))
    for run in (short, endless):
        stack.wait_for(run, "running")
    return stack, worker, short, endless


def has_ended_in_order(stack: Stack, worker, short: str, endless: str) -> None:
    """The short run has ended well; the other was ended, and all know that the worker is no more."""
    assert worker.wait(30) == 0
    assert not running("66.4")
    assert stack.wait_for(short)["attempt"] == 1
    ended = stack.wait_for(endless, "failed")
    assert (ended["reason"], ended["attempt"]) == ("worker_lost", 1)
    assert "gave the attempt back" in ended["error"]
    assert stack.get("workers/")["results"][0]["status"] == "offline"


def test_the_broker_fails_while_a_worker_winds_down(broker: Server, busy):
    stack, worker, short, endless = busy
    worker.send_signal(signal.SIGTERM)
    log = stack.folder / "first.log"
    wait_until(lambda: "Stopping" in log.read_text(), 10, "the worker winds down")
    broker.kill()
    broker.start()
    has_ended_in_order(stack, worker, short, endless)


def test_a_worker_is_told_to_stop_while_its_broker_is_away(broker: Server, busy):
    stack, worker, short, endless = busy
    broker.kill()
    log = stack.folder / "first.log"
    wait_until(lambda: "away" in log.read_text(), 10, "the worker misses its broker")
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: "Stopping" in log.read_text(), 10, "the worker winds down")
    broker.start()
    has_ended_in_order(stack, worker, short, endless)


def test_without_anything_to_tell_a_worker_stops_though_its_broker_is_away(private_redis, make_stack, postgresql):
    stack = make_stack(broker_url=address("streams", private_redis.url), database=postgresql_database(postgresql.url))
    stack.web()
    stack.dispatcher()
    worker = stack.worker("first")
    private_redis.kill()
    wait_until(lambda: "away" in (stack.folder / "first.log").read_text(), 10, "the worker misses its broker")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(5) == 0
