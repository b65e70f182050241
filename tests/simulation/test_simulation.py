"""Any order of events, and any loss, doubling, delay, crash and standstill, keeps the promises.

`SIMULATION_EXAMPLES=2000 pytest tests/simulation` looks for longer.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.machine import Simulation

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
