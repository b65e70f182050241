"""Each server is killed and started again while runs flow: nothing is lost, nothing waits for long."""

import time

import pytest

from services import Server
from tests.acceptance.harness import Stack, postgresql_database, prepare
from tests.acceptance.load import Load
from tests.brokers import address
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

ROUNDS = 5
LONGEST_WAIT = 10 + 10
"""Lease plus ten seconds, from when the server is back."""


def endure(stack: Stack, server: Server, tmp_path) -> None:
    stack.web()
    stack.dispatcher()
    stack.worker("first")
    stack.worker("second")
    backs = []
    with Load(stack, tmp_path / "ledger") as load:
        load.goes_on(30)
        for _ in range(ROUNDS):
            server.kill()
            load.goes_on(5)
            server.start()
            backs.append(time.time())
            wait_until(lambda: load.started_since(backs[-1]), LONGEST_WAIT, "runs start again")
            load.goes_on(10)
    load.settle()
    assert load.longest_wait(backs) < LONGEST_WAIT
    assert all(process.poll() is None for process in stack.processes)


@pytest.mark.parametrize("kind", ["lists", "streams"])
def test_redis_is_killed_again_and_again(kind, make_stack, private_redis, postgresql, tmp_path):
    database = postgresql_database(postgresql.url)
    endure(make_stack(broker_url=address(kind, private_redis.url), database=database), private_redis, tmp_path)


def test_rabbitmq_is_killed_again_and_again(make_stack, private_rabbitmq, postgresql, tmp_path):
    database = postgresql_database(postgresql.url)
    endure(make_stack(broker_url=private_rabbitmq.url, database=database), private_rabbitmq, tmp_path)


def test_postgresql_is_killed_again_and_again(make_stack, private_postgresql, redis_server, tmp_path):
    url = private_postgresql.url
    stack = make_stack(broker_url=address("streams", redis_server.url), database=(url, prepare(url)))
    endure(stack, private_postgresql, tmp_path)
