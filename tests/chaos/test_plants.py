"""The planted bugs are of the code as it is; whether they are found, `make chaos ARGS=--planted` shows."""

from importlib import import_module

import pytest

from tests.chaos.checker import RULES
from tests.chaos.faults import FAULTS
from tests.chaos.plants.bugs import ORDERS, PLANTS, PROVOKED_BY, SEEN_AS, SQL
from tests.chaos.traffic import MANUAL


def test_every_plant_is_provoked_by_a_fault_and_by_tasks_that_there_are():
    assert PROVOKED_BY.keys() == PLANTS.keys() == SEEN_AS.keys()
    assert set(PROVOKED_BY.values()) <= FAULTS.keys()
    assert set().union(*SEEN_AS.values()) <= {rule.__name__ for rule in RULES}
    assert ORDERS.keys() | SQL.keys() <= PLANTS.keys()
    assert {name for order in ORDERS.values() for name in order} <= MANUAL.keys()


@pytest.mark.parametrize("plant", PLANTS)
def test_the_modules_that_a_plant_changes_are_there(plant):
    for name in PLANTS[plant]:
        import_module(name)
