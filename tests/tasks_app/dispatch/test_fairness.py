"""Namespaces that have runs waiting share the slots there are."""

from uuid import UUID

import pytest

from access_app.models import Namespace
from tasks_app.models import TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, given_out

pytestmark = pytest.mark.django_db


def assign() -> list[UUID]:
    return [item.key.run for _, message in given_out(NOW).letters for item in message.items]


def test_a_namespace_that_waits_with_much_does_not_hold_up_another():
    a_worker(max_tasks=10)
    busy, small = (Namespace.objects.create(name=name) for name in ("busy", "small"))
    greedy = a_task(namespace=busy)
    for _ in range(50):
        a_run(greedy)
    modest = {a_run(a_task(namespace=small)).pk for _ in range(2)}
    assigned = assign()
    assert len(assigned) == 10
    assert modest < set(assigned)


def test_slots_are_shared_by_weight():
    a_worker(max_tasks=30)
    for name, weight in (("one", 1), ("two", 2)):
        task = a_task(namespace=Namespace.objects.create(name=name, weight=weight))
        for _ in range(50):
            a_run(task)
    assign()
    active = TaskRun.objects.filter(status="assigned").values_list("task__namespace__name", flat=True)
    assert sorted(active) == ["one"] * 10 + ["two"] * 20
