"""Flows on the real engine: who runs when, with what, exactly once."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from tasks_app import actions, chains, flow_actions
from tasks_app.dispatch.advance import advance, expire
from tasks_app.dispatch.fire import fire
from tasks_app.dispatch.record import record
from tasks_app.models import DEPENDENCY, FlowPlan, FlowRun, Task, TaskRun
from tests.tasks_app.factories import NOW, a_task, a_worker, given_out
from workers_app.messaging.protocol import AttemptKey, Finished, Reports

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def a_roomy_worker(db: None) -> None:
    a_worker(max_tasks=10_000, lease_until=after(100_000))


def follows(task: Task, *parents: Any) -> Task:
    """`task` depends on these: tasks, or pairs of one and a condition."""
    pairs = [each if isinstance(each, tuple) else (each, "") for each in parents]
    task.depends_on = [{"task": parent.name, "when": when} for parent, when in pairs]
    chains.chain([task])
    for each in (task, *(parent for parent, _ in pairs)):
        each.refresh_from_db()
    return task


def trigger(task: Task, now: datetime = NOW, **wish: Any) -> TaskRun:
    task.refresh_from_db()
    return actions.trigger([actions.Trigger(task, **wish)], now)[0]


def turn(now: datetime = NOW) -> dict[str, UUID]:
    """What a dispatcher does: flows go on, runs are assigned. Returns what was given out, by the name of the task."""
    while advance(now):
        pass
    return {item.task: item.key.run for _, message in given_out(now).letters for item in message.items}


def end(run: UUID, reason: str = "", result: Any = None, now: datetime = NOW, code: int = 0) -> None:
    attempt = TaskRun.objects.get(pk=run).attempt
    record([Reports(uuid4(), [Finished(AttemptKey(run, attempt), reason, code, result)])], now)


def state(flow: FlowRun | None = None) -> dict[str, str]:
    runs = TaskRun.objects.filter(flow=flow) if flow else TaskRun.objects.all()
    return dict(runs.values_list("task__name", "status"))


def the_flow() -> FlowRun:
    return FlowRun.objects.get()


def a_diamond(**fields: Any) -> tuple[Task, Task, Task, Task]:
    a, b, c, d = (a_task(name=name) for name in "abcd")
    follows(b, a), follows(c, a)
    for name, value in fields.items():
        setattr(d, name, value)
    d.save()
    follows(d, b, c)
    return a, b, c, d


# What runs when


def test_a_diamond_runs_in_its_order_and_the_join_once():
    a, *_ = a_diamond()
    first = trigger(a, params={"day": "monday"})
    assert (first.flow, first.step) == (the_flow(), 0)
    assert state() == {"a": "pending", "b": "pending", "c": "pending", "d": "pending"}
    assert list(turn()) == ["a"]
    end(first.pk)
    second = turn()
    assert set(second) == {"b", "c"}
    end(second["b"])
    assert turn() == {}
    end(second["c"], now=after(5))
    assert list(turn(after(5))) == ["d"]
    join = TaskRun.objects.get(task__name="d")
    assert (join.params, join.origin, join.available_at, join.gate) == ({"day": "monday"}, "dependency", after(5), "")
    assert the_flow().status == "running"
    end(join.pk, now=after(6))
    turn(after(7))
    assert (the_flow().status, the_flow().completed_at) == ("succeeded", after(7))


def test_a_failure_skips_what_needs_a_success_and_says_why():
    a, *_ = a_diamond()
    first = trigger(a)
    turn()
    end(first.pk)
    second = turn()
    end(second["b"], "error")
    turn()
    join = TaskRun.objects.get(task__name="d")
    assert (join.status, join.reason) == ("skipped", "upstream")
    assert join.error == "It runs on all_success: b failed, c open."
    end(second["c"])
    turn()
    assert (the_flow().status, the_flow().reason) == ("failed", "")


def test_skips_go_on_to_the_end():
    tasks = [a_task(name=f"t{n}") for n in range(6)]
    for parent, child in pairwise(tasks):
        follows(child, parent)
    first = trigger(tasks[0])
    turn()
    end(first.pk, "error")
    turn()
    assert sorted(state().values()) == ["failed"] + ["skipped"] * 5
    assert the_flow().status == "failed"


def test_a_condition_picks_the_branch_and_the_join_runs_after_either():
    check, small, large, join = (a_task(name=name) for name in ("check", "small", "large", "join"))
    follows(small, (check, "result.rows < 10")), follows(large, (check, "result.rows >= 10"))
    join.trigger_rule = "none_failed"
    join.save()
    follows(join, small, large)
    first = trigger(check)
    turn()
    end(first.pk, result={"rows": 5})
    second = turn()
    assert list(second) == ["small"]
    end(second["small"])
    third = turn()
    assert list(third) == ["join"]
    end(third["join"])
    turn()
    assert state() == {"check": "succeeded", "small": "succeeded", "large": "skipped", "join": "succeeded"}
    assert the_flow().status == "succeeded"


def test_a_condition_on_how_it_ended():
    job, alarm, report = (a_task(name=name) for name in ("job", "alarm", "report"))
    follows(alarm, (job, 'status == "failed" and exit_code == 3')), follows(report, job)
    first = trigger(job)
    turn()
    end(first.pk, "error", code=3)
    assert list(turn()) == ["alarm"]
    assert state()["report"] == "skipped"


def test_a_condition_that_cannot_be_evaluated_is_told_and_fails_the_flow():
    a, b = a_task(name="a"), a_task(name="b")
    follows(b, (a, "result.rows + 1 > 0"))
    first = trigger(a)
    turn()
    end(first.pk, result={"rows": "many"})
    turn()
    run = TaskRun.objects.get(task=b)
    assert (run.status, run.reason) == ("skipped", "expression")
    assert "are not both numbers" in run.error or "str" in run.error
    turn()
    assert the_flow().status == "failed"


def test_results_become_parameters_of_the_children():
    a, b = a_task(name="load data"), a_task(name="b", inputs={"n": 'parents["load data"].result.rows * 2'})
    follows(b, a)
    first = trigger(a, params={"day": "x", "n": 0})
    turn()
    end(first.pk, result={"rows": 21})
    turn()
    assert TaskRun.objects.get(task=b).params == {"day": "x", "n": 42}


@pytest.mark.parametrize(
    ("rule", "b", "c", "expected"),
    [
        ("all_success", "", "", "assigned"),
        ("all_success", "", "error", "skipped"),
        ("all_done", "error", "error", "assigned"),
        ("any_success", "", "error", "assigned"),
        ("any_success", "error", "error", "skipped"),
        ("any_failed", "", "error", "assigned"),
        ("any_failed", "", "", "skipped"),
        ("none_failed", "", "", "assigned"),
        ("none_failed", "", "timeout", "skipped"),
    ],
)
def test_rules(rule: str, b: str, c: str, expected: str):
    a, *_ = a_diamond(trigger_rule=rule)
    first = trigger(a)
    turn()
    end(first.pk)
    second = turn()
    end(second["b"], b)
    turn()
    end(second["c"], c)
    turn()
    assert TaskRun.objects.get(task__name="d").status == expected


def test_a_rule_that_is_decided_early_does_not_wait():
    a, *_ = a_diamond(trigger_rule="any_success")
    first = trigger(a)
    turn()
    end(first.pk)
    second = turn()
    end(second["b"])
    assert list(turn()) == ["d"]
    end(second["c"])
    assert turn() == {}


# How flows begin


def test_a_fire_begins_a_flow():
    a, *_ = a_diamond()
    Task.objects.filter(pk=a.pk).update(schedule="* * * * *", next_fire_at=NOW)
    fire(NOW)
    assert state() == dict.fromkeys("abcd", "pending")
    assert the_flow().scheduled_for == NOW
    assert set(TaskRun.objects.values_list("scheduled_for", flat=True)) == {NOW}


def test_the_same_key_begins_one_flow():
    a, *_ = a_diamond()
    runs = {trigger(a, idempotency_key="k").pk for _ in range(3)}
    assert len(runs) == FlowRun.objects.count() == 1
    assert TaskRun.objects.count() == 4


def test_from_the_midst_and_alone():
    _, b, *_ = a_diamond()
    trigger(b)
    assert state() == {"b": "pending", "d": "pending"}
    end(turn()["b"])
    assert list(turn()) == ["d"]
    alone = trigger(b, children=False)
    assert alone.flow is None
    assert TaskRun.objects.count() == 3


def test_a_flow_keeps_the_plan_it_began_with():
    a, b, _, d = a_diamond()
    first = trigger(a)
    follows(d, b)
    turn()
    end(first.pk)
    second = turn()
    end(second["b"])
    assert turn() == {}, "it began when d still waited for c, too"
    end(second["c"])
    assert list(turn()) == ["d"]


def test_flows_that_are_the_same_share_their_plan():
    a, *_ = a_diamond()
    trigger(a), trigger(a)
    assert (FlowRun.objects.count(), FlowPlan.objects.count()) == (2, 1)


# Cancel, deadline, retry


def test_cancelling_a_flow_cancels_what_is_open():
    a, *_ = a_diamond()
    first = trigger(a)
    turn()
    end(first.pk)
    second = turn()
    end(second["b"])
    flow_actions.cancel(the_flow(), after(1))
    assert state() == {"a": "succeeded", "b": "succeeded", "c": "assigned", "d": "cancelled"}
    turn()
    assert the_flow().status == "running"
    end(second["c"], "cancelled")
    turn()
    assert (the_flow().status, the_flow().reason) == ("cancelled", "cancelled")
    with pytest.raises(actions.NotPossible, match="over already"):
        flow_actions.cancel(the_flow(), after(2))


def test_a_flow_ends_at_its_deadline():
    a, *_ = a_diamond()
    Task.objects.filter(pk=a.pk).update(flow_timeout_seconds=60)
    first = trigger(a)
    turn()
    end(first.pk)
    assert expire(after(59)) == 0
    assert expire(after(60)) == 1
    assert expire(after(61)) == 0
    turn()
    assert (the_flow().status, the_flow().reason) == ("failed", "deadline")


def test_a_cancelled_step_skips_what_needs_it():
    a, *_ = a_diamond()
    trigger(a)
    actions.cancel(list(TaskRun.objects.filter(task__name="b")), NOW)
    turn()
    assert state()["d"] == "skipped"


def test_a_flow_is_done_again_from_where_it_failed():
    a, *_ = a_diamond(inputs={"x": "parents.b.result"})
    first = trigger(a, params={"p": 1})
    turn()
    end(first.pk)
    second = turn()
    end(second["b"], result=7)
    end(second["c"], "error")
    turn()
    failed = the_flow()
    again = flow_actions.retry(failed, after(10))
    assert state(again) == {"c": "pending", "d": "pending"}
    third = turn(after(10))
    assert list(third) == ["c"]
    end(third["c"], now=after(11))
    fourth = turn(after(11))
    assert list(fourth) == ["d"]
    assert TaskRun.objects.get(pk=fourth["d"]).params == {"p": 1, "x": 7}
    end(fourth["d"], now=after(12))
    turn(after(12))
    again.refresh_from_db()
    assert (again.status, again.retry_of) == ("succeeded", failed)
    with pytest.raises(actions.NotPossible, match="Every step has succeeded"):
        flow_actions.retry(again, after(13))
    third_flow = flow_actions.retry(again, after(13), steps=["b"])
    assert state(third_flow) == {"b": "pending", "d": "pending"}
    with pytest.raises(actions.NotPossible, match="no step “x”; it has: a, b, c, d"):
        flow_actions.retry(again, after(13), steps=["x"])


def test_a_flow_is_done_again_from_its_start():
    a, *_ = a_diamond()
    first = trigger(a)
    with pytest.raises(actions.NotPossible, match="running"):
        flow_actions.retry(the_flow(), NOW)
    turn()
    end(first.pk, "error")
    turn()
    again = flow_actions.retry(the_flow(), after(1))
    assert list(turn(after(1))) == ["a"]
    assert len(state(again)) == 4


# The latest


def a_pair_and_its_follower(**fields: Any) -> tuple[Task, Task, Task]:
    x, y, z = (a_task(name=name) for name in "xyz")
    for name, value in ({"depend_on": "latest"} | fields).items():
        setattr(z, name, value)
    z.save()
    return x, y, follows(z, x, y)


def test_it_runs_when_each_parent_has_had_a_new_success():
    x, y, z = a_pair_and_its_follower(inputs={"sum": "parents.x.result + parents.y.result"})

    def succeed(task: Task, result: int, reason: str = "") -> None:
        trigger(task)
        end(turn()[task.name], reason, result)

    succeed(x, 1), succeed(x, 2)
    assert turn() == {}
    succeed(y, 5, "error")
    assert turn() == {}
    succeed(y, 10)
    assert list(turn()) == ["z"]
    assert TaskRun.objects.get(task=z).params == {"sum": 12}
    succeed(y, 20)
    assert turn() == {}
    succeed(x, 3)
    assert list(turn()) == ["z"]
    assert TaskRun.objects.filter(task=z).count() == 2


def test_what_waits_for_the_latest_may_begin_a_flow():
    x, y, z = a_pair_and_its_follower()
    last = follows(a_task(name="last"), z)
    trigger(x), trigger(y)
    for run in turn().values():
        end(run)
    assert list(turn()) == ["z"]
    assert TaskRun.objects.get(task=last).gate == DEPENDENCY
