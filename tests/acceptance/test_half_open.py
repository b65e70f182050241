"""A connection that looks well and delivers nothing any more, as when a firewall has forgotten it."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.harness import Stack
from tests.chaos.relay import Network

pytestmark = pytest.mark.acceptance

LEASE_SECONDS = 10


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


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
