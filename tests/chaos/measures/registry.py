"""All measures, by their names."""

from tests.chaos.measures import (
    broker_restarts,
    broker_wiped,
    cancel,
    database_restart,
    dispatcher_alone,
    dispatcher_killed,
    frozen,
    overload,
    soak,
    worker_killed,
)
from tests.chaos.measures.base import Measure

_ALL = (
    worker_killed,
    dispatcher_killed,
    dispatcher_alone,
    frozen,
    broker_restarts,
    broker_wiped,
    database_restart,
    overload,
    cancel,
    soak,
)
MEASURES: dict[str, Measure] = {each.MEASURE.name: each.MEASURE for each in _ALL}


def wanted(names: list[str]) -> list[Measure]:
    """Those that are named; without names all that do not want to be."""
    return [each for each in MEASURES.values() if each.name in names or not (names or each.only_named)]
