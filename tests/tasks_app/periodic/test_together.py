"""Several dispatchers at once, and any of them killed at any statement: each row fires once."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django_celery_beat.models import PeriodicTask
from kombu.utils.json import loads

from tasks_app.models import PeriodicMessage
from tasks_app.periodic.changes import sync
from tasks_app.periodic.fire import fire
from tests.tasks_app.factories import NOW
from tests.tasks_app.periodic.rows import a_periodic_task, later, planned, sent
from tests.together import together

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """As SIGKILL would: nothing of us runs any more, and the database forgets what was not committed."""


def until(statement: int, work: Callable[[], Any]) -> bool:
    """Work until that statement is to be executed; return whether it came to that."""
    left = statement

    def count(execute: Any, *args: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return execute(*args)

    try:
        with connection.execute_wrapper(count):
            work()
    except Killed:
        return True
    return False


def turn(now: datetime) -> None:
    sync(now)
    fire(now)


def fired() -> Counter[str]:
    return Counter(loads(each.body)["headers"]["periodic_task_name"] for each in PeriodicMessage.objects.all())


def test_dispatchers_that_look_at_the_same_moment_fire_each_row_once():
    rows = [a_periodic_task() for _ in range(30)]
    for seconds in (0, 10, 20, 30):
        together(*[lambda: turn(later(seconds))] * 4)  # noqa: B023 - called at once
    turn(later(30))
    assert fired() == dict.fromkeys((row.name for row in rows), 3)


def test_an_edit_that_all_notice_at_the_same_moment():
    rows = [a_periodic_task() for _ in range(30)]
    turn(NOW)
    PeriodicTask.objects.update(last_run_at=later(5))
    together(*[lambda: turn(later(10))] * 4)
    assert fired() == {}
    assert {planned(row) for row in rows} == {later(15)}


def test_killed_at_any_statement_it_fires_once():
    row = a_periodic_task()
    statement = 0
    while until(statement, lambda: turn(later(10))):
        assert fired() in ({}, {row.name: 1})
        turn(later(10))
        row.refresh_from_db()
        assert (fired(), row.total_run_count, row.last_run_at) == ({row.name: 1}, 1, later(10))
        sent()
        row.delete()
        row = a_periodic_task()
        statement += 1
    assert statement >= 5


@pytest.mark.only("postgresql")
def test_what_somebody_edits_just_now_holds_up_nobody():
    held, free = a_periodic_task(), a_periodic_task()
    turn(NOW)
    with transaction.atomic():
        PeriodicTask.objects.filter(pk=held.pk).update(priority=1)
        together(lambda: turn(later(10)))
        assert fired() == {free.name: 1}
    assert planned(held) == later(11)
    turn(later(11))
    assert fired() == {free.name: 1, held.name: 1}
