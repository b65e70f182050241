"""Runs that are carried out as many: over a list, or over all workers."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tasks_app import actions, chains
from tasks_app.dispatch.advance import advance
from tasks_app.dispatch.fan_out import spread
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.models import FanOut, Pool, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, given_out
from tests.together import together
from workers_app.messaging.protocol import AttemptKey, Finished, Reports
from workers_app.models import WorkerInfo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def a_roomy_worker(db: None) -> WorkerInfo:
    return a_worker(name="w0", max_tasks=10_000, lease_until=after(100_000))


def turn(now: datetime = NOW) -> list[UUID]:
    """What a dispatcher does in its turns; returns the runs that workers were given."""
    found = []
    for _ in range(3):
        while spread(now):
            pass
        while advance(now):
            pass
        found += [item.key.run for _, message in given_out(now).letters for item in message.items]
    return found


def end(*runs: UUID, reason: str = "", result: Any = None, now: datetime = NOW) -> None:
    attempts = dict(TaskRun.objects.filter(pk__in=runs).values_list("pk", "attempt"))
    record([Reports(uuid4(), [Finished(AttemptKey(pk, attempts[pk]), reason, 0, result) for pk in runs])], now)


def fresh(run: TaskRun) -> TaskRun:
    return TaskRun.objects.get(pk=run.pk)


def over_hosts(**fields: Any) -> Task:
    return a_task(fan_out="params.hosts", **fields)


def params(*hosts: str) -> dict[str, Any]:
    return {"hosts": list(hosts), "x": 1}


def test_each_item_is_a_run_with_its_own_parameters_and_the_run_ends_with_the_last():
    run = a_run(over_hosts(), params=params("a", "b", "c"))
    items = turn()
    assert (fresh(run).status, fresh(run).worker, fresh(run).started_at) == ("running", None, NOW)
    made = TaskRun.objects.filter(fan_out=run.pk).order_by("item")
    assert [each.pk for each in made] == items
    assert [each.params for each in made] == [
        {**params("a", "b", "c"), "item": host, "item_index": n} for n, host in enumerate("abc")
    ]
    assert {each.origin for each in made} == {"fan_out"}
    for n, pk in enumerate(items):
        assert fresh(run).status == "running"
        end(pk, result={"n": n})
        turn(after(n))
    ended = fresh(run)
    assert (ended.status, ended.completed_at) == ("succeeded", after(2))
    assert ended.result == {"total": 3, "succeeded": 3, "results": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert spread(after(3)) == 0


def test_no_more_at_once_than_allowed():
    a_run(over_hosts(fan_out_parallel=2), params=params(*"abcde"))
    first = turn()
    assert len(first) == 2
    end(first[0])
    second = turn()
    assert len(second) == 1
    end(first[1], second[0])
    assert len(turn()) == 2


def test_one_that_fails_fails_the_run_when_all_have_ended():
    run = a_run(over_hosts(max_attempts=2, retry_delay_seconds=0), params=params("a", "b"))
    good, bad = turn()
    end(good), end(bad, reason="error")
    assert fresh(run).status == "running"
    assert turn(after(1)) == [bad], "an item is tried again as any run"
    end(bad, reason="error", now=after(2))
    turn(after(2))
    ended = fresh(run)
    assert (ended.status, ended.reason) == ("failed", "items")
    assert ended.error == "Of 2 items not all have succeeded: 1 failed."


def test_a_list_without_items_is_done_at_once():
    run = a_run(over_hosts(), params=params())
    turn()
    assert (fresh(run).status, fresh(run).result) == ("succeeded", {"total": 0, "results": []})


@pytest.mark.parametrize(
    ("text", "given", "told"),
    [
        ("params.hosts", {}, "is no list"),
        ("params.hosts", {"hosts": "abc"}, "is no list"),
        ("range(params.n)", {"n": 60_000}, "60,000 items; 50,000 are allowed"),
        ("params.n + 1", {"n": "x"}, "n"),
    ],
)
def test_what_is_no_list_is_told(text: str, given: dict[str, Any], told: str):
    run = a_run(a_task(fan_out=text), params=given)
    turn()
    ended = fresh(run)
    assert (ended.status, ended.reason) == ("skipped", "expression")
    assert told in ended.error
    assert not FanOut.objects.exists()


def test_cancelling_the_run_cancels_its_items():
    run = a_run(over_hosts(fan_out_parallel=2), params=params(*"abcd"))
    first, second = turn()
    end(first)
    turn()
    actions.cancel([fresh(run)], NOW)
    turn()
    statuses = Counter(TaskRun.objects.filter(fan_out=run.pk).values_list("status", flat=True))
    assert statuses == {"succeeded": 1, "assigned": 2}
    active = list(TaskRun.objects.filter(fan_out=run.pk, status="assigned").values_list("pk", flat=True))
    assert second in active
    end(*active, reason="cancelled")
    turn()
    assert fresh(run).status == "cancelled"
    assert TaskRun.objects.filter(fan_out=run.pk).count() == 3


def test_limits_hold_for_the_items_and_overlap_for_the_runs():
    Pool.objects.create(name="p", slots=2)
    task = over_hosts(pools={"p": 1}, overlap="queue")
    first, second = (a_run(task, params=params(*"abc")) for _ in range(2))
    items = turn()
    assert len(items) == 2
    assert (fresh(first).status, fresh(second).gate) == ("running", f"overlap:{task.pk}")
    end(*items)
    last = turn()
    assert len(last) == 1
    end(*last)
    turn()
    assert (fresh(first).status, fresh(second).status) == ("succeeded", "running")


def test_a_join_waits_for_all_items_and_gets_their_results():
    listing, work, report = (a_task(name=name) for name in ("list", "work", "report"))
    for task, parent, fields in (
        (work, "list", {"fan_out": "params.files", "inputs": {"files": "parents.list.result"}}),
        (report, "work", {"inputs": {"sizes": "parents.work.result.results"}}),
    ):
        for name, value in fields.items():
            setattr(task, name, value)
        task.save()
        task.depends_on = [parent]
        chains.chain([task])
    listing.refresh_from_db()
    actions.trigger([actions.Trigger(listing)], NOW)
    end(*turn(), result=["x", "y"])
    items = turn()
    assert len(items) == 2
    end(items[0], result=10)
    assert turn() == []
    end(items[1], result=20)
    (last,) = turn()
    assert TaskRun.objects.get(pk=last).params["sizes"] == [10, 20]


def test_an_item_is_not_retried_by_itself():
    a_run(over_hosts(), params=params("a"))
    (item,) = turn()
    end(item, reason="error")
    with pytest.raises(actions.NotPossible, match="retry that one"):
        actions.retry(TaskRun.objects.get(pk=item), NOW)


# All workers


def test_each_worker_that_may_gets_a_part():
    a_worker(name="w1", lease_until=after(1000)), a_worker(name="w2", executors=["http"])
    run = a_run(a_task(strategy="sharding_broadcast"))
    items = turn()
    made = list(TaskRun.objects.filter(pk__in=items).order_by("item").select_related("worker"))
    assert [each.worker.name for each in made if each.worker] == ["w0", "w1"]
    assert [(each.params["shard_index"], each.params["shard_total"]) for each in made] == [(0, 2), (1, 2)]
    end(*items)
    turn()
    assert fresh(run).status == "succeeded"


def test_the_part_of_a_worker_that_is_gone_goes_to_another():
    a_worker(name="w1", lease_until=after(1), last_heartbeat=NOW)
    a_run(a_task(strategy="sharding_broadcast"))
    turn()
    recover(after(2))
    again = turn(after(3))
    assert len(again) == 1
    moved = TaskRun.objects.select_related("worker").get(pk=again[0])
    assert (moved.params["worker"], moved.worker and moved.worker.name) == ("w1", "w0")


# Several dispatchers


@pytest.mark.django_db(transaction=True)
def test_together_they_make_each_item_once_and_end_the_run_once(a_roomy_worker: WorkerInfo):
    run = a_run(a_task(fan_out="range(30)", fan_out_parallel=7))
    for _ in range(40):
        together(*[lambda: (spread(NOW), given_out(NOW))] * 3)
        active = list(TaskRun.objects.filter(fan_out=run.pk, status="assigned").values_list("pk", flat=True))
        assert len(active) <= 7
        end(*active[:4])
        if fresh(run).status != "running" and TaskRun.objects.filter(fan_out=run.pk).exists():
            break
    assert fresh(run).status == "succeeded"
    assert sorted(TaskRun.objects.filter(fan_out=run.pk).values_list("item", flat=True)) == list(range(30))
    assert fresh(run).result["succeeded"] == 30
