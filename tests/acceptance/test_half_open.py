"""A connection that looks well and delivers nothing any more, as when a firewall has forgotten it."""

from collections.abc import Callable

import pytest

from services import PostgreSQL
from tests.acceptance.harness import Stack, prepare
from tests.chaos.relay import Network

pytestmark = pytest.mark.acceptance

LEASE_SECONDS = 10


def test_a_worker_connects_anew_before_its_lease_ends(
    any_broker: str, make_stack: Callable[..., Stack], network: Network
):
    """Only an echo of its own tells it. What it runs goes on."""
    stack = make_stack(broker_url=any_broker)
    stack.web()
    stack.dispatcher()
    stack.worker("cut-off", BROKER_URL=network.way("cut-off", "broker", any_broker))
    before = stack.get("workers/")["results"]
    run = stack.run(stack.task(f"sleep {LEASE_SECONDS + 3}"))
    stack.wait_for(run, "running")
    network.between("cut-off", "broker").half_open()
    ended = stack.wait_for(run, "succeeded", "failed")
    assert (ended["status"], ended["attempt"]) == ("succeeded", 1)
    after = stack.get("workers/")["results"]
    assert [w["boot_id"] for w in after] == [w["boot_id"] for w in before]


def test_a_dispatcher_connects_anew(any_broker: str, make_stack: Callable[..., Stack], network: Network):
    stack = make_stack(broker_url=any_broker)
    stack.web()
    stack.dispatcher(BROKER_URL=network.way("dispatcher", "broker", any_broker))
    stack.worker()
    run = stack.run(stack.task(f"sleep {LEASE_SECONDS + 3}"))
    stack.wait_for(run, "running")
    network.between("dispatcher", "broker").half_open()
    ended = stack.wait_for(run, "succeeded", "failed")
    assert (ended["status"], ended["attempt"]) == ("succeeded", 1)


def test_a_dispatcher_whose_database_does_not_answer_goes_on_with_a_new_connection(
    private_postgresql: PostgreSQL, make_stack: Callable[..., Stack], network: Network
):
    """Its server has given its statement up by then; something in between takes what it sends, and is silent."""
    stack = make_stack(database=(private_postgresql.url, prepare(private_postgresql.url)))
    stack.web()
    limited = f"{network.way('dispatcher', 'database', private_postgresql.url)}?options=-c%20statement_timeout%3D2s"
    stack.dispatcher(DATABASE_URL=limited)
    stack.worker()
    task = stack.task("true")
    stack.wait_for(stack.run(task), "succeeded")
    network.between("dispatcher", "database").half_open()
    stack.wait_for(stack.run(task), "succeeded")
