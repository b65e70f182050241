"""How many runs may be made: what is pending, in all and in a namespace, and how many a minute."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access_app.models import Namespace
from tasks_app import limits
from tasks_app.limits import Limits
from tests.tasks_app.factories import NOW, a_run, a_task

pytestmark = pytest.mark.django_db

# What is pending


@pytest.fixture
def room() -> Namespace:
    return Namespace.objects.create(name="team-a", max_pending=3)


def pending(room: Namespace, number: int) -> None:
    task = a_task(namespace=room)
    for _ in range(number):
        a_run(task)


def kind(known: Limits, wanted: dict[int, int]) -> str | None:
    refusal = known.take(wanted)
    return refusal and refusal.kind


def test_a_namespace_has_so_many_pending_runs(room):
    pending(room, 1)
    known = Limits()
    assert [kind(known, {room.pk: 1}) for _ in range(3)] == [None, None, "limit_namespace_pending"]


def test_what_runs_or_has_ended_is_not_pending(room):
    task = a_task(namespace=room)
    a_run(task, status="skipped", completed_at=NOW)
    assert kind(Limits(), {room.pk: 3}) is None


def test_the_message_names_the_namespace_and_the_limit(room):
    pending(room, 2)
    refusal = Limits().take({room.pk: 2})
    assert refusal.message == "The namespace “team-a” may have at most 3 pending runs (max_pending); it has 2."
    assert refusal.retry_after >= 1


def test_all_or_none(room):
    other = Namespace.objects.create(name="other", max_triggers_per_minute=60)
    known = Limits()
    assert kind(known, {other.pk: 10, room.pk: 4}) == "limit_namespace_pending"
    assert kind(known, {other.pk: 10, room.pk: 3}) is None
    assert kind(known, {other.pk: 1}) == "limit_rate"


def test_a_full_namespace_is_in_nobody_else_s_way(room):
    other = Namespace.objects.create(name="other")
    pending(room, 3)
    known = Limits()
    assert kind(known, {room.pk: 1}) == "limit_namespace_pending"
    assert kind(known, {other.pk: 1000}) is None


def test_all_pending_runs_together(room, settings):
    settings.MAX_PENDING = 5
    other = Namespace.objects.create(name="other")
    pending(other, 4)
    known = Limits()
    assert kind(known, {room.pk: 2}) == "limit_pending"
    assert kind(known, {other.pk: 1}) is None
    refusal = known.take({other.pk: 1})
    assert refusal.message == "At most 5 runs may be pending in all (MAX_PENDING); 5 are."


def test_a_rate_holds_for_each_namespace(room):
    Namespace.objects.update(max_pending=None, max_triggers_per_minute=60)
    other = Namespace.objects.create(name="other", max_triggers_per_minute=60)
    known = Limits()
    assert kind(known, {room.pk: 10}) is None
    refusal = known.take({room.pk: 5})
    assert refusal.message == "The namespace “team-a” may trigger at most 60 runs a minute (max_triggers_per_minute)."
    assert 4 <= refusal.retry_after <= 5
    assert kind(known, {other.pk: 10}) is None


def test_more_than_a_minute_s_worth_never_goes_at_once(room):
    Namespace.objects.update(max_pending=None, max_triggers_per_minute=60)
    known = Limits()
    assert kind(known, {room.pk: 61}) == "limit_rate"
    assert kind(known, {room.pk: 60}) is None


# How it is known


def test_most_triggers_cost_no_statement(room):
    known = Limits()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            assert known.take({room.pk: 1}) is None
    assert len(queries) == 1


def test_a_new_namespace_is_found_at_once(room):
    known = Limits()
    known.take({room.pk: 1})
    new = Namespace.objects.create(name="new", max_pending=1)
    assert kind(known, {new.pk: 2}) == "limit_namespace_pending"


def test_it_is_counted_again_when_it_is_old(room, monkeypatch):
    known = Limits()
    assert known.take({room.pk: 1}) is None
    pending(room, 3)
    monkeypatch.setattr(limits, "REMEMBERED_SECONDS", 0.0)
    monkeypatch.setattr(limits, "COST", 0)
    assert kind(known, {room.pk: 1}) == "limit_namespace_pending"


def test_before_it_refuses_it_counts_again(room, monkeypatch):
    """Runs that have begun since are no more pending: a steady flow is not refused for what was."""
    known = Limits()
    assert known.take({room.pk: 3}) is None
    monkeypatch.setattr(limits, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(limits, "COST", 0)
    assert known.take({room.pk: 3}) is None


def test_a_count_that_takes_long_is_made_less_often(room, monkeypatch):
    known = Limits()
    known.take({room.pk: 1})
    monkeypatch.setattr(limits, "REMEMBERED_SECONDS", 0.0)
    monkeypatch.setattr(limits, "COST", 1e9)
    with CaptureQueriesContext(connection) as queries:
        known.take({room.pk: 1})
    assert len(queries) == 0


def test_threads_together_take_no_more_than_there_is(room, monkeypatch):
    Namespace.objects.filter(pk=room.pk).update(max_pending=100)
    known = Limits()
    assert known.take({room.pk: 1}) is None
    monkeypatch.setattr(limits, "REMEMBERED_SECONDS", 1e9)
    monkeypatch.setattr(limits, "FRESH_SECONDS", 1e9)
    taken = []
    threads = [
        threading.Thread(target=lambda: taken.extend(known.take({room.pk: 1}) is None for _ in range(50)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(True) == 99
