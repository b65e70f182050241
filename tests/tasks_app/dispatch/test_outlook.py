"""One look tells what there is to do, and when there will be."""

from datetime import timedelta

import pytest

from tasks_app.dispatch.assign import assign
from tasks_app.dispatch.outlook import Outlook, look
from tasks_app.models import Circuit
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run

pytestmark = pytest.mark.django_db


def test_there_is_nothing_to_do():
    assert look(NOW) == Outlook(None, None, [], troubled=False, backfilling=False)


def test_the_next_nominal_time(django_assert_num_queries):
    a_task(next_fire_at=NOW + timedelta(minutes=5))
    a_task(next_fire_at=NOW + timedelta(minutes=2, microseconds=7))
    a_task(next_fire_at=NOW, status="paused")
    a_task(next_fire_at=NOW, deleted_at=NOW)
    with django_assert_num_queries(1):
        assert look(NOW).next_due == NOW + timedelta(minutes=2, microseconds=7)


def test_the_next_run_to_pass_the_time_gate():
    a_run(available_at=NOW + timedelta(seconds=9))
    a_run(available_at=NOW - timedelta(seconds=9))
    assert look(NOW).next_ready == NOW + timedelta(seconds=9)


def test_the_placements_of_pending_runs():
    tasks = [a_task(), a_task(), a_task(worker_labels={"gpu": "yes"}), a_task(worker_labels={"zone": "eu"})]
    for task in tasks[:3]:
        a_run(task)
    an_active_run(a_worker(), tasks[3])
    assert look(NOW).placements == sorted({task.placement for task in tasks[:3]})


@pytest.mark.parametrize(
    ("slots", "runs", "labels", "starved"),
    [
        (5, 3, {}, False),
        (3, 3, {}, True),  # there may be more: nobody has looked
        (2, 3, {}, True),
        (5, 1, {"gpu": "yes"}, True),
        (5, 0, {}, False),
    ],
)
def test_whether_runs_are_left_for_want_of_a_slot_is_known(slots: int, runs: int, labels: dict, starved: bool):
    a_worker(max_tasks=slots)
    task = a_task(worker_labels=labels)
    for _ in range(runs):
        a_run(task)
    assert assign(NOW, look(NOW).placements).starved is starved


@pytest.mark.parametrize(
    ("fields", "troubled"), [({}, False), ({"failures": 1}, True), ({"state": "open", "retry_at": NOW}, True)]
)
def test_circuits_are_looked_at_only_where_one_is_not_as_good_as_new(fields, troubled):
    Circuit.objects.create(target="host:example.com:443", updated_at=NOW, **fields)
    assert look(NOW).troubled is troubled
