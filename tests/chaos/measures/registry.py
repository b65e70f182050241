"""All measures, by their names."""

from tests.chaos.measures import dispatcher_alone, dispatcher_killed, worker_killed
from tests.chaos.measures.base import Measure

MEASURES: dict[str, Measure] = {
    each.MEASURE.name: each.MEASURE for each in (worker_killed, dispatcher_killed, dispatcher_alone)
}


def wanted(names: list[str]) -> list[Measure]:
    """Those that are named; without names all that do not want to be."""
    return [each for each in MEASURES.values() if each.name in names or not (names or each.only_named)]
