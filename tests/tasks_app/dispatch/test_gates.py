"""Limits: runs that may not start now wait where everybody sees it, and go on when they may."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from access_app.models import Namespace
from tasks_app import actions
from tasks_app.dispatch.permits import release
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.dispatch.reopen import Reopening
from tasks_app.models import Permit, Pool, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, given_out
from workers_app.messaging.protocol import AttemptKey, Finished, Reports
from workers_app.models import WorkerInfo

pytestmark = pytest.mark.django_db


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def a_roomy_worker(db: None) -> WorkerInfo:
    return a_worker(max_tasks=1000, lease_until=after(100_000))


@pytest.fixture(autouse=True)
def database_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of rates count from the database's time, which these tests set."""
    monkeypatch.setattr("tasks_app.dispatch.permits.database_now", lambda: CLOCK[0])


CLOCK = [NOW]


def assign(now: datetime = NOW, gates: Reopening | None = None) -> list[UUID]:
    CLOCK[0] = now
    return [item.key.run for _, message in given_out(now, gates).letters for item in message.items]


def end(*runs: UUID, reason: str = "", now: datetime = NOW) -> None:
    attempts = dict(TaskRun.objects.filter(pk__in=runs).values_list("pk", "attempt"))
    record([Reports(uuid4(), [Finished(AttemptKey(pk, attempts[pk]), reason, 0) for pk in runs])], now)


def fresh(run: TaskRun | UUID) -> TaskRun:
    return TaskRun.objects.get(pk=run.pk if isinstance(run, TaskRun) else run)


def statuses(runs: list[TaskRun]) -> list[str]:
    return [fresh(run).status for run in runs]


# Overlap


def test_further_runs_wait_their_turn():
    task = a_task(overlap="queue")
    first, second, third = (a_run(task) for _ in range(3))
    assert assign() == [first.pk]
    assert (fresh(second).gate, fresh(second).gate_since) == (f"overlap:{task.pk}", NOW)
    assert assign() == []
    end(first.pk)
    assert assign() == [second.pk]
    end(second.pk, reason="error")
    assert assign() == [third.pk]


def test_as_many_as_may_run_side_by_side():
    task = a_task(overlap="queue", max_parallel=3)
    runs = [a_run(task).pk for _ in range(5)]
    assert assign() == runs[:3]
    end(*runs[:2])
    assert assign() == runs[3:]


def test_a_run_that_is_to_be_tried_again_is_not_over():
    task = a_task(overlap="queue", max_attempts=2, retry_delay_seconds=60)
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    end(first.pk, reason="error")
    assert assign(after(1)) == []
    assert assign(after(60)) == [first.pk]
    end(first.pk, reason="error", now=after(61))
    assert assign(after(61)) == [second.pk]


def test_of_a_queue_with_a_cap_the_newest_are_skipped():
    task = a_task(overlap="queue", max_queued=2)
    runs = [a_run(task) for _ in range(5)]
    assert assign() == [runs[0].pk]
    assert statuses(runs) == ["assigned", "pending", "pending", "skipped", "skipped"]
    late = a_run(task)
    assert assign() == []
    assert (fresh(late).status, fresh(late).reason) == ("skipped", "overlap")


def test_skipping_what_overlaps():
    task = a_task(overlap="skip")
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    assert (fresh(second).status, fresh(second).reason, fresh(second).completed_at) == ("skipped", "overlap", NOW)
    end(first.pk)
    third = a_run(task)
    assert assign() == [third.pk]


def test_a_retry_is_not_skipped_by_its_own_task():
    task = a_task(overlap="skip", max_attempts=2, retry_delay_seconds=0)
    run = a_run(task)
    assert assign() == [run.pk]
    end(run.pk, reason="error")
    other = a_run(task)
    assert assign() == [run.pk]
    assert fresh(other).status == "skipped"


def test_the_newest_replaces_the_oldest(broker_url: str):
    task = a_task(overlap="replace")
    first = a_run(task)
    assert assign() == [first.pk]
    second, third = a_run(task), a_run(task)
    assert assign() == []
    assert fresh(first).cancel_requested_at == NOW
    assert (fresh(second).status, fresh(second).reason) == ("cancelled", "overlap")
    end(first.pk, reason="cancelled")
    assert assign() == [third.pk]


def test_several_side_by_side_replace_the_oldest_of_them(broker_url: str):
    task = a_task(overlap="replace", max_parallel=2)
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk, second.pk]
    third = a_run(task)
    assert assign() == []
    assert [fresh(run).cancel_requested_at for run in (first, second)] == [NOW, None]
    end(first.pk, reason="cancelled")
    assert assign() == [third.pk]


def test_overlap_holds_for_one_task_only():
    one, other = a_task(overlap="queue"), a_task(overlap="queue")
    runs = {a_run(task).pk for task in (one, other)}
    assert set(assign()) == runs


# Mutex


def test_one_at_a_time_of_all_with_the_same_key():
    deploy, migrate = a_task(mutex="deploy-{host}"), a_task(mutex="deploy-{host}")
    a, b, c = (
        a_run(deploy, params={"host": "a"}),
        a_run(migrate, params={"host": "a"}),
        a_run(deploy, params={"host": "b"}),
    )
    assert set(assign()) == {a.pk, c.pk}
    assert fresh(b).gate == f"mutex:{deploy.namespace_id}:deploy-a"
    end(a.pk)
    assert assign() == [b.pk]


def test_a_mutex_is_one_of_its_namespace():
    tasks = [a_task(mutex="db", namespace=Namespace.objects.create(name=name)) for name in ("a", "b")]
    assert len([a_run(task) for task in tasks]) == len(assign())


@pytest.mark.parametrize("params", [{"host": "x" * 5000}, {"host": {"b": [1], "a": None}}, {}, {"other": 1}])
def test_any_parameter_can_stand_in_a_key(params: dict):
    task = a_task(mutex="deploy-{host}")
    runs = [a_run(task, params=params), a_run(task, params=params)]
    assert assign() == [runs[0].pk]
    assert len(fresh(runs[1]).gate) < 300


def test_long_keys_that_differ_at_the_end_differ():
    task = a_task(mutex="{host}")
    runs = {a_run(task, params={"host": "x" * 5000 + end}).pk for end in "ab"}
    assert set(assign()) == runs


def test_while_it_waits_to_be_tried_again_a_run_holds_no_mutex():
    task = a_task(mutex="db", max_attempts=2, retry_delay_seconds=60)
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    end(first.pk, reason="error")
    assert assign() == [second.pk]
    assert assign(after(60)) == []
    end(second.pk, now=after(61))
    assert assign(after(61)) == [first.pk]


# Pools


def a_pool(slots: int = 3, **fields) -> Pool:
    return Pool.objects.create(**{"name": "database", "slots": slots} | fields)


def test_runs_take_slots_of_a_pool_as_long_as_there_are_any():
    a_pool(3)
    wide, narrow = a_task(pools={"database": 2}), a_task(pools={"database": 1})
    runs = [a_run(task) for task in (wide, wide, narrow)]
    assert assign() == [runs[0].pk, runs[2].pk]
    assert fresh(runs[1]).gate == f"pool:{Pool.objects.get().pk}"
    end(runs[2].pk)
    assert assign() == []
    end(runs[0].pk)
    assert assign() == [runs[1].pk]


def test_all_of_several_pools_are_taken_or_none():
    a_pool(1), a_pool(1, name="licences")
    both, one = a_task(pools={"database": 1, "licences": 1}), a_task(pools={"licences": 1})
    first, second, third = a_run(one), a_run(both), a_run(a_task(pools={"database": 1}))
    assert assign() == [first.pk, third.pk]
    end(first.pk, third.pk)
    assert assign() == [second.pk]


def test_the_namespaces_own_pool_goes_before_the_shared_one():
    space = Namespace.objects.create(name="team")
    a_pool(1), a_pool(2, namespace=space)
    task = a_task(namespace=space, pools={"database": 1})
    runs = [a_run(task).pk for _ in range(3)]
    assert assign() == runs[:2]


@pytest.mark.parametrize("slots", [0, 1])
def test_a_pool_that_is_too_small_lets_nothing_pass_until_it_is_made_larger(slots: int):
    pool = a_pool(slots)
    runs = [a_run(a_task(pools={"database": 2})).pk for _ in range(3)]
    assert assign() == []
    Pool.objects.filter(pk=pool.pk).update(slots=6)
    assert set(assign()) == set(runs)


def test_a_lost_worker_gives_its_slots_back(a_roomy_worker: WorkerInfo):
    a_pool(1)
    task = a_task(pools={"database": 1})
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    WorkerInfo.objects.update(lease_until=after(1))
    recover(after(2))
    a_worker(lease_until=after(100))
    (started,) = assign(after(3))
    assert {first.pk, second.pk} - {started}
    assert Permit.objects.get().run_id == started


# Rates


def test_only_so_many_start_in_any_window():
    task = a_task(rate_count=3, rate_seconds=10)
    runs = [a_run(task).pk for _ in range(7)]
    assert assign() == runs[:3]
    end(*runs[:3], now=after(1))
    assert assign(after(10)) == []
    assert assign(after(10.2)) == runs[3:6]
    assert assign(after(20.2)) == []
    assert assign(after(20.4)) == runs[6:]


def test_of_a_large_rate_a_few_start_at_once():
    task = a_task(rate_count=25, rate_seconds=10)
    runs = [a_run(task).pk for _ in range(30)]
    assert [assign() for _ in range(4)] == [runs[:10], runs[10:20], runs[20:25], []]


def test_the_window_slides():
    task = a_task(rate_count=2, rate_seconds=10)
    first = a_run(task).pk
    assert assign() == [first]
    second, third, fourth = (a_run(task).pk for _ in range(3))
    assert assign(after(9)) == [second]
    assert assign(after(10.2)) == [third]
    assert assign(after(19)) == []
    assert assign(after(19.2)) == [fourth]


def test_tasks_with_the_same_key_share_a_rate():
    mail, news = (a_task(rate_count=1, rate_seconds=60, rate_key="smtp-{host}") for _ in range(2))
    runs = [a_run(task, params={"host": host}).pk for task, host in ((mail, "a"), (news, "a"), (news, "b"))]
    assert assign() == [runs[0], runs[2]]


# All together


def test_a_run_waits_at_the_first_of_its_gates_that_is_shut_and_takes_nothing_meanwhile():
    a_pool(1)
    task = a_task(overlap="queue", max_parallel=2, mutex="m", pools={"database": 1}, rate_count=5)
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    assert fresh(second).gate.startswith("mutex:")
    assert {permit.run_id for permit in Permit.objects.all()} == {first.pk}
    assert Permit.objects.count() == 4
    TaskRun.objects.filter(pk=first.pk).update(status="succeeded", completed_at=NOW)
    assert assign() == [second.pk]


def test_the_urgent_goes_first_at_a_gate():
    low, high = (a_task(mutex="m", priority=priority) for priority in (0, 5))
    first = a_run(low)
    assert assign() == [first.pk]
    waiting, urgent = a_run(low), a_run(high)
    assert assign() == []
    end(first.pk)
    assert assign() == [urgent.pk]
    end(urgent.pk)
    assert assign() == [waiting.pk]


def test_a_paused_task_parks_its_runs_and_resumes_them(broker_url: str):
    task = a_task()
    runs = [a_run(task).pk for _ in range(1200)]
    actions.pause(task, NOW)
    assert assign() == []
    assert set(TaskRun.objects.values_list("gate", flat=True)) == {f"pause:{task.pk}"}
    other = a_run()
    assert assign() == [other.pk]
    actions.resume(Task.objects.get(pk=task.pk), after(1))
    assigned = [pk for _ in range(3) for pk in assign(after(1))]
    assert set(assigned) == set(runs[:999])


def test_limits_that_are_taken_away_hold_up_nobody(broker_url: str):
    task = a_task(overlap="queue")
    runs = [a_run(task).pk for _ in range(3)]
    assert assign() == runs[:1]
    task.overlap = "allow"
    actions.save(task, NOW)
    assert assign() == runs[1:]


def test_a_cancelled_run_leaves_its_gate():
    task = a_task(overlap="queue")
    runs = [a_run(task) for _ in range(3)]
    assert assign() == [runs[0].pk]
    actions.cancel([runs[1]], NOW)
    end(runs[0].pk)
    assert assign() == [runs[2].pk]


def test_permits_of_runs_that_are_no_more_are_taken_back():
    task = a_task(overlap="queue")
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    TaskRun.objects.filter(pk=first.pk).delete()
    assert assign() == [second.pk]


def test_what_was_released_and_not_acted_on_is_found_later():
    """A dispatcher took permits back and was killed before it let anybody pass."""
    task = a_task(overlap="queue")
    first, second = a_run(task), a_run(task)
    assert assign() == [first.pk]
    assert assign() == []
    end(first.pk)
    release(NOW)
    assert assign() == [second.pk]


def test_many_blocked_runs_hold_up_nobody():
    task = a_task(overlap="queue", priority=100)
    for _ in range(600):
        a_run(task)
    small = a_run()
    assert len(assign()) == 2
    assert fresh(small).status == "assigned"
