"""The schedules that are timed, and that an outage is settled as the rule says."""

import pytest

from benchmarks import expressions, timings
from tasks_app.schedule import read


def test_usual_schedules_go_on():
    for spec in expressions.USUAL:
        assert len(read((spec,), timings.KEY).fires(timings.NOW, 3)) == 3


@pytest.mark.parametrize("name", expressions.HOSTILE)
def test_hostile_schedules_are_timed(name: str):
    assert timings._single(expressions.HOSTILE[name]).keys() == {"read_ms", "next_ms"}


def test_every_outage_is_settled_as_its_policy_says():
    assert len(timings.outages()) == 6
