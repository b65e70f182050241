"""Random flows on the real engine against a reference interpreter."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks_app import chains
from tasks_app.flow.rules import Outcome, Rule, Verdict, decide
from tests.tasks_app.dispatch.test_flows import a_roomy_worker, end, state, trigger, turn
from tests.tasks_app.factories import a_task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
__all__ = ["a_roomy_worker"]


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[Rule, list[int], str]]:
    """Each step with its rule, its parents and how it will end."""
    number = draw(st.integers(1, 9))
    steps = []
    for step in range(number):
        parents = draw(st.lists(st.integers(0, step - 1), min_size=1, max_size=4, unique=True)) if step else []
        steps.append(
            (draw(st.sampled_from(list(Rule))), parents, draw(st.sampled_from(["", "", "error", "cancelled"])))
        )
    return steps


ENDS = {"": Outcome.SUCCEEDED, "error": Outcome.FAILED, "cancelled": Outcome.CANCELLED}


def interpreted(steps: list[tuple[Rule, list[int], str]]) -> list[Outcome]:
    """What each step ends like, in whatever order they end: one after the other, as parents come first."""
    found: list[Outcome] = []
    for rule, parents, fate in steps:
        verdict = decide(rule, [found[parent] for parent in parents])
        found.append(ENDS[fate] if verdict == Verdict.RUN else Outcome.SKIPPED)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs(), st.randoms(use_true_random=False))
def test_random_flows_end_as_the_rules_say(steps: list[tuple[Rule, list[int], str]], random: Any):
    tag = uuid4().hex[:8]
    tasks = [a_task(name=f"{tag}-{number}", trigger_rule=rule) for number, (rule, *_) in enumerate(steps)]
    for task, (_, parents, _) in zip(tasks, steps, strict=True):
        if parents:
            task.depends_on = [tasks[parent].name for parent in parents]
    chains.chain(tasks)
    flow = trigger(tasks[0]).flow
    active = dict(turn())
    started = list(active)
    while active:
        name = random.choice(sorted(active))
        end(active.pop(name), steps[int(name.partition("-")[2])][2])
        following = turn()
        started += following
        active |= following
    names = {f"{tag}-{number}": outcome.value for number, outcome in enumerate(interpreted(steps))}
    if flow is None:
        assert len(steps) == 1
        return
    assert state(flow) == names
    assert len(started) == len(set(started)), "no step was given out twice"
    flow.refresh_from_db()
    assert flow.status != "running"
