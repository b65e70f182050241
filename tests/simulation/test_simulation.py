"""Any order of events, and any loss, doubling, delay, crash and standstill, keeps the promises.

`SIMULATION_EXAMPLES=2000 pytest tests/simulation` looks for longer.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.machine import Simulation
from tests.simulation.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.only("sqlite")]


def test_the_promises_are_kept_whatever_happens(examples: int):
    run_state_machine_as_test(
        Simulation,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_worker_that_begins_anew_has_ended_all_it_ran():
    """Its first heartbeat makes dispatchers start its runs elsewhere at once, so it may not come before that."""
    world = World()
    world.calm(2)
    world.submit("plain")
    world.calm(1)
    world.pass_time(9)
    world.exchange()
    world.promises.check()


@pytest.mark.parametrize("second", [2, 3])
def test_what_a_killed_dispatcher_assigned_and_did_not_send_begins_within_two_seconds(second: int):
    """Whether a heartbeat comes soon or has just been."""
    world = World()
    world.calm(second)
    run = world.submit("plain")
    world.dispatch("dispatcher-a")
    (worker,) = (worker for worker in world.workers if worker.box in world.channel.boxes)
    world.channel.take(worker.box, 1000)
    world.calm(2)
    assert [job.key.run for worker in world.workers for job in worker.pool.jobs] == [run.pk]
