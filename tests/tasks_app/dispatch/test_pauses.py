"""Pauses of tasks, namespaces and labels: what they hold, how they end, and what becomes of what went by."""

from datetime import timedelta
from itertools import count, product

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access_app.models import Namespace
from tasks_app import actions, pausing
from tasks_app.dispatch import pauses
from tasks_app.dispatch.assign import assign
from tasks_app.dispatch.fire import fire
from tasks_app.models import Pause, Task
from tests.tasks_app.factories import NOW, a_run, a_worker

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


_numbers = count(1)


def minutely(**fields: object) -> Task:
    values = {"name": f"minutely-{next(_numbers)}", "executor": "shell", "command": "true", "schedule": "* * * * *"}
    task = Task(**values | fields)
    actions.save(task, NOW - MINUTE)
    return task


def outcomes(task: Task) -> list[tuple[int, str, str]]:
    runs = task.runs.order_by("scheduled_for").values_list("scheduled_for", "status", "reason")
    return [((at - NOW) // MINUTE, status, reason) for at, status, reason in runs]


def hold(task: Task) -> int:
    return Task.objects.values_list("hold", flat=True).get(pk=task.pk)


def of(**scope: object) -> Pause:
    return Pause(**scope)


def test_a_namespace_holds_its_tasks_and_no_others():
    other = Namespace.objects.create(name="other")
    mine, theirs = minutely(), minutely(namespace=other)
    pause = actions.pause_many(of(namespace=other, reason="They move"), NOW - MINUTE)
    assert (hold(mine), hold(theirs)) == (0, 2)
    assert [run.task_id for run in fire(NOW)] == [mine.pk]
    actions.end_pause(pause, NOW + 2 * MINUTE)
    fire(NOW + 3 * MINUTE)
    assert outcomes(theirs) == [
        *((at, "skipped", "paused") for at in (0, 1)),
        *((at, "pending", "") for at in (2, 3)),
    ]


@pytest.mark.parametrize(("how", "run"), [("none", []), ("last", [2]), ("all", [0, 1, 2])])
def test_what_went_by_in_a_pause_is_made_up_for_as_after_a_resume(how: str, run: list[int]):
    task = minutely(after_resume=how, after_outage="none")
    pause = actions.pause_many(of(namespace=task.namespace), NOW - MINUTE)
    actions.end_pause(pause, NOW + 2.5 * MINUTE)
    fire(NOW + 10 * MINUTE)
    found = outcomes(task)
    assert [at for at, status, _ in found if status == "pending"] == [*run, 9, 10]
    assert {reason for at, _, reason in found if at <= 2 and at not in run} <= {"paused"}
    assert {(status, reason) for at, status, reason in found if 2 < at < 9} == {("skipped", "missed")}
    assert len(found) == 11


def test_a_label_in_all_namespaces_or_in_one():
    other = Namespace.objects.create(name="other")
    tasks = [
        minutely(labels={"team": "billing", "a__b": "x"}),
        minutely(labels={"team": "billing"}, namespace=other),
        minutely(labels={"team": "shop"}, namespace=other),
        minutely(),
    ]
    actions.pause_many(of(label="team=billing"), NOW)
    assert [*map(hold, tasks)] == [2, 2, 0, 0]
    actions.pause_many(of(label="team=shop", namespace=other, drain=True), NOW)
    assert [*map(hold, tasks)] == [2, 2, 1, 0]
    for pause in Pause.objects.all():
        actions.end_pause(pause, NOW)
    assert [*map(hold, tasks)] == [0, 0, 0, 0]
    actions.pause_many(of(label="a__b=x"), NOW)
    assert [*map(hold, tasks)] == [2, 0, 0, 0]


def test_a_task_that_is_made_or_changed_is_held_by_what_covers_it():
    task = minutely()
    actions.pause_many(of(label="team=billing"), NOW)
    made = minutely(labels={"team": "billing"})
    assert (hold(made), hold(task)) == (2, 0)
    task.labels = {"team": "billing"}
    actions.save(task, NOW)
    made.labels = {}
    actions.save(made, NOW)
    assert (hold(made), hold(task)) == (0, 2)
    (bulk,) = [Task(name="bulk", executor="shell", command="true", labels={"team": "billing"})]
    actions.create([bulk], NOW)
    assert hold(bulk) == 2


@pytest.mark.parametrize("drain", [False, True])
@pytest.mark.parametrize("scope", ["task", "namespace"])
def test_a_drain_lets_what_there_is_start(scope: str, drain: bool):
    task, _ = minutely(), a_worker()
    a_run(task, available_at=NOW)
    if scope == "task":
        actions.pause(task, NOW, drain=drain)
    else:
        actions.pause_many(of(namespace=task.namespace, drain=drain), NOW)
    assert [run.origin for run in fire(NOW + MINUTE)] == []
    assert bool(assign(NOW, [task.placement], troubled=False).number) is drain


def test_pausing_again_replaces_why_and_until_when():
    task = minutely()
    actions.pause(task, NOW, reason="A", drain=True)
    actions.pause(task, NOW, reason="B", until=NOW + MINUTE)
    row = Pause.objects.get()
    assert (row.task, row.reason, row.until, row.drain, hold(task)) == (task, "B", NOW + MINUTE, False, 2)
    one = actions.pause_many(of(label="a=b"), NOW)
    assert actions.pause_many(of(label="a=b", reason="C"), NOW).pk == one.pk


def test_a_pause_ends_by_itself():
    task = minutely(after_resume="last")
    actions.pause(task, NOW - MINUTE, until=NOW + MINUTE)
    other = minutely(namespace=Namespace.objects.create(name="other"))
    actions.pause_many(of(namespace=other.namespace, until=NOW + MINUTE), NOW - MINUTE)
    assert pauses.end(NOW + MINUTE / 2) == 0
    assert pauses.end(NOW + MINUTE) == 2
    assert not Pause.objects.exists()
    task.refresh_from_db()
    assert (task.status, hold(task), hold(other)) == ("active", 0, 0)
    fire(NOW + 2 * MINUTE)
    assert outcomes(task) == [(0, "skipped", "paused"), (1, "pending", ""), (2, "pending", "")]
    assert pauses.end(NOW + 2 * MINUTE) == 0


def test_own_and_others_pauses_are_both_needed_to_be_over():
    task = minutely()
    actions.pause(task, NOW)
    pause = actions.pause_many(of(namespace=task.namespace), NOW)
    task.refresh_from_db()
    actions.resume(task, NOW)
    assert hold(task) == 2
    assert fire(NOW + MINUTE) == []
    actions.end_pause(pause, NOW + MINUTE)
    assert hold(task) == 0
    fire(NOW + 2 * MINUTE)
    assert [at for at, status, _ in outcomes(task) if status == "pending"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "namespace"),
        ({"label": "billing"}, "label"),
        ({"label": "=x"}, "label"),
        ({"label": "a=b", "until": NOW - MINUTE}, "until"),
        ({"label": "a=b", "reason": "x" * 1001}, "reason"),
    ],
)
def test_refused(fields: dict[str, object], field: str):
    with pytest.raises(ValidationError) as caught:
        actions.pause_many(of(**fields), NOW)
    assert list(caught.value.message_dict) == [field]
    assert not Pause.objects.exists()


SCOPES = st.sampled_from(["task", "namespace", "label", "both"])
STEPS = st.lists(st.tuples(SCOPES, st.booleans(), st.sampled_from(["set", "end"])), max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_the_hold_is_that_of_the_strongest_pause(db: None, steps: list[tuple[str, bool, str]]) -> None:
    """The simplest telling of the rule there is."""
    Pause.objects.all().delete()
    Task.objects.all().delete()
    spaces = [Namespace.objects.get_or_create(name=name)[0] for name in ("default", "other")]
    tasks = [minutely(namespace=space, labels=labels) for space, labels in product(spaces, [{}, {"k": "v"}])]
    scopes = {
        "namespace": {"namespace": spaces[1]},
        "label": {"label": "k=v"},
        "both": {"namespace": spaces[0], "label": "k=v"},
    }
    held: dict[str, int] = {}
    for scope, drain, what in steps:
        task = Task.objects.get(pk=tasks[0].pk)
        if what == "set":
            held[scope] = 1 if drain else 2
            if scope == "task":
                actions.pause(task, NOW, drain=drain)
            else:
                actions.pause_many(of(**scopes[scope], drain=drain), NOW)
        elif held.pop(scope, None):
            wanted = {"namespace": None, "label": "", "task": None} | scopes.get(scope, {"task": task})
            actions.end_pause(Pause.objects.get(**wanted), NOW)
        own, named, labelled, both = (held.get(each, 0) for each in ("task", "namespace", "label", "both"))
        expected = [own, max(labelled, both), named, max(named, labelled)]
        assert [*map(hold, tasks)] == expected


def test_what_explains_a_hold():
    task = minutely(labels={"k": "v"})
    actions.pause_many(of(label="k=v", reason="label", drain=True), NOW)
    actions.pause_many(of(namespace=task.namespace, reason="namespace"), NOW)
    general = list(Pause.objects.filter(task=None))
    assert pausing.shown(task, general).reason == "namespace"
    actions.pause(task, NOW, reason="own")
    assert pausing.shown(task, general).reason == "own"
