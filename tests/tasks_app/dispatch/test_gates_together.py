"""Several dispatchers at once: together they never give out more than a limit lets pass."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from tasks_app.dispatch.record import record
from tasks_app.models import ACTIVE, Permit, Pool, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, given_out
from tests.together import together
from workers_app.messaging.protocol import AttemptKey, Finished, Reports

pytestmark = pytest.mark.django_db(transaction=True)


def overlapping() -> list[Task]:
    return [a_task(overlap="queue", max_parallel=2)]


def excluding() -> list[Task]:
    return [a_task(mutex="m"), a_task(mutex="m")]


def pooled() -> list[Task]:
    Pool.objects.create(name="p", slots=3)
    return [a_task(pools={"p": 1}), a_task(pools={"p": 2})]


def rated() -> list[Task]:
    return [a_task(rate_count=4, rate_seconds=3600, rate_key="r") for _ in range(2)]


@pytest.fixture(autouse=True)
def database_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of rates count from the database's time."""
    monkeypatch.setattr("tasks_app.dispatch.permits.database_now", lambda: NOW)


LIMITS: dict[Callable[[], list[Task]], int] = {overlapping: 2, excluding: 1, pooled: 3, rated: 4}


def assign() -> list[UUID]:
    return [item.key.run for _, message in given_out(NOW).letters for item in message.items]


def taken() -> int:
    return sum(Permit.objects.values_list("takes", flat=True))


@pytest.mark.only("postgresql")
@pytest.mark.parametrize("limit", LIMITS)
def test_while_one_decides_others_give_nothing_out(limit: Callable[[], list[Task]]):
    """The worst case: another has workers of its own, and cannot see yet what the first has given out."""
    a_worker(max_tasks=1)
    for task in limit() * 5:
        a_run(task)
    free = a_run()
    with transaction.atomic():
        first = assign()
        together(lambda: a_worker(max_tasks=100))
        (second,) = together(assign)
    assert (len(first), second) == (1, [free.pk])
    while assign():
        pass
    assert taken() == LIMITS[limit]


@pytest.mark.parametrize("limit", LIMITS)
def test_in_any_mix_of_turns_no_limit_is_passed(limit: Callable[[], list[Task]]):
    tasks, random = limit(), Random(1)
    a_worker(max_tasks=5)
    for _ in range(8):
        for task in tasks * 3:
            a_run(task)
        together(*[assign] * 3)
        assert taken() <= LIMITS[limit]
        active = list(TaskRun.objects.filter(status__in=ACTIVE).values_list("pk", flat=True))
        weights = dict(Permit.objects.filter(run_id__in=active).values_list("run_id", "takes"))
        assert sum(weights[run] for run in active) <= LIMITS[limit]
        ending = random.sample(active, (len(active) + 1) // 2)
        record([Reports(uuid4(), [Finished(AttemptKey(run, 1), "", 0) for run in ending])], NOW)
    total = Counter(TaskRun.objects.values_list("status", flat=True))
    assert total["pending"] > 0
    assert total["succeeded"] > 0


@pytest.mark.parametrize(
    ("fields", "left"),
    [({"overlap": "skip"}, "skipped"), ({"overlap": "replace"}, "cancelled"), ({"unique_seconds": 3600}, "skipped")],
)
def test_of_many_that_come_together_one_runs(fields: dict[str, Any], left: str, broker_url: str):
    a_worker(max_tasks=100)
    task = a_task(**fields)
    for _ in range(9):
        a_run(task)
    together(*[assign] * 3)
    while assign():
        pass
    assert Counter(TaskRun.objects.values_list("status", flat=True))["assigned"] == 1
    assert Counter(TaskRun.objects.values_list("status", flat=True))[left] >= 7
    assert Permit.objects.get().run_id == TaskRun.objects.get(status="assigned").pk


def test_a_full_queue_stays_as_long_as_it_may_be():
    a_worker(max_tasks=100)
    task = a_task(overlap="queue", max_queued=3)
    for _ in range(5):
        for _ in range(4):
            a_run(task)
        together(*[assign] * 3)
        assert TaskRun.objects.filter(status="pending").exclude(gate="").count() <= 3


@pytest.mark.only("postgresql")
def test_who_stands_still_while_he_decides_holds_up_only_what_needs_the_same():
    a_worker(max_tasks=1)
    stuck, other = a_task(mutex="one"), a_task(mutex="two")
    for task in (stuck, stuck, other):
        a_run(task)
    with transaction.atomic():
        connection.cursor().execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")
        assert len(assign()) == 1
        together(lambda: a_worker(max_tasks=100, lease_until=NOW + timedelta(hours=1)))
        (second,) = together(assign)
        assert [TaskRun.objects.get(pk=pk).task_id for pk in second] == [other.pk]
