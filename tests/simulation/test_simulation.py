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
