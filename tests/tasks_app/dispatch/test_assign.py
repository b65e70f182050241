"""Duty 4: ready runs go to workers with a free slot, and to no others."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from access_app.models import Namespace
from tasks_app.dispatch.assign import assign as duty
from tasks_app.dispatch.outlook import look
from tasks_app.models import TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run
from workers_app.messaging.protocol import Assignment

pytestmark = pytest.mark.django_db


def assign(now: datetime) -> list[tuple[UUID, Assignment]]:
    """Each assignment with the boot id of its worker."""
    letters = duty(now, look(now).placements).letters
    return [(boot, item) for boot, message in letters for item in message.items]


def test_a_run_is_assigned_and_its_message_says_all_the_worker_needs():
    worker = a_worker()
    task = a_task(command="echo hi", config={"cwd": "/tmp"}, timeout_seconds=7)
    run = a_run(task, params={"a": 1})
    ((boot, message),) = assign(NOW)
    run.refresh_from_db()
    assert (run.status, run.worker, run.assigned_at) == ("assigned", worker, NOW)
    assert boot == worker.boot_id
    assert (message.key.run, message.key.attempt, message.task) == (run.pk, 1, task.name)
    assert (message.command, message.config, message.params, message.timeout) == (
        "echo hi",
        {"cwd": "/tmp"},
        {"a": 1},
        7,
    )
    assert assign(NOW) == []


@pytest.mark.parametrize(
    "worker",
    [
        {"status": "offline"},
        {"draining": True, "status": "draining"},
        {"lease_until": NOW - timedelta(seconds=1)},
        {"last_heartbeat": NOW - timedelta(seconds=4)},
        {"executors": ["http"]},
        {"labels": {"zone": "us"}},
        {"labels": {"zone": "eu", "disk": "slow"}},
        {"namespaces": ["team-a", "nowhere"]},
    ],
)
def test_a_worker_that_does_not_fit_gets_nothing(worker: dict):
    Namespace.objects.create(name="team-a")
    a_worker(**{"labels": {"zone": "eu"}, **worker})
    a_run(a_task(worker_labels={"zone": "eu"}, excluded_labels={"disk": "slow", "cpu": "old"}))
    assert assign(NOW) == []


def test_a_worker_serves_the_namespaces_it_names():
    space = Namespace.objects.create(name="team-a")
    own, shared = a_worker(namespaces=["team-a"]), a_worker()
    runs = [a_run(a_task(namespace=space)), a_run()]
    boots = {message.key.run: boot for boot, message in assign(NOW)}
    assert boots[runs[1].pk] == shared.boot_id
    assert boots[runs[0].pk] in (own.boot_id, shared.boot_id)
    shared.delete()
    other = a_run()
    assert [message.key.run for _, message in assign(NOW)] == []
    assert TaskRun.objects.get(pk=other.pk).status == "pending"


def test_a_worker_with_preferred_labels_goes_first():
    a_worker(name="a")
    fast = a_worker(name="z", labels={"disk": "ssd"}, max_tasks=1)
    for _ in range(3):
        a_run(a_task(preferred_labels={"disk": "ssd"}))
    boots = Counter(boot for boot, _ in assign(NOW))
    assert boots[fast.boot_id] == 1
    assert boots.total() == 3


@pytest.mark.parametrize("strategy", ["least_frequently_used", "least_recently_used"])
def test_a_worker_that_has_had_none_of_the_task_is_chosen(strategy: str):
    used, unused = a_worker(), a_worker(last_assigned_at=NOW)
    task = a_task(strategy=strategy)
    for _ in range(3):
        an_active_run(used, task)
        an_active_run(unused)
    runs = [a_run(task).pk for _ in range(2)]
    boots = {message.key.run: boot for boot, message in assign(NOW)}
    assert boots[runs[0]] == unused.boot_id
    assert (boots[runs[1]] == unused.boot_id) is (strategy == "least_frequently_used")


@pytest.mark.parametrize(
    ("task", "run"),
    [
        ({"status": "paused"}, {}),
        ({"deleted_at": NOW}, {}),
        ({}, {"available_at": NOW + timedelta(seconds=1)}),
        ({}, {"status": "skipped", "completed_at": NOW}),
    ],
)
def test_a_run_that_is_not_ready_waits(task: dict, run: dict):
    a_worker()
    a_run(a_task(**task), **run)
    assert assign(NOW) == []


def test_a_worker_never_gets_more_than_its_slots():
    worker = a_worker(max_tasks=3)
    an_active_run(worker)
    task = a_task()
    for _ in range(5):
        a_run(task)
    assert len(assign(NOW)) == 2
    assert assign(NOW) == []
    assert TaskRun.objects.filter(status="pending").count() == 3


def test_the_urgent_and_the_older_go_first():
    a_worker(max_tasks=2)
    late = a_run(available_at=NOW - timedelta(seconds=1))
    early = a_run(available_at=NOW - timedelta(seconds=2))
    urgent = a_run(a_task(priority=5))
    assert [letter[1].key.run for letter in assign(NOW)] == [urgent.pk, early.pk]
    assert TaskRun.objects.get(status="pending").pk == late.pk


def test_runs_that_no_worker_can_take_hold_up_nobody():
    a_worker()
    gpu = a_task(worker_labels={"gpu": "yes"}, priority=100)
    for _ in range(600):
        a_run(gpu)
    small = a_run()
    assert [letter[1].key.run for letter in assign(NOW)] == [small.pk]


def test_the_least_loaded_worker_is_chosen():
    full, empty = a_worker(max_tasks=4), a_worker(max_tasks=4)
    for _ in range(2):
        an_active_run(full)
    for _ in range(4):
        a_run()
    boots = Counter(boot for boot, _ in assign(NOW))
    assert boots == {empty.boot_id: 3, full.boot_id: 1}


def test_round_robin_takes_turns_over_several_passes():
    workers = [a_worker(), a_worker(), a_worker()]
    task = a_task(strategy="round_robin")
    chosen = []
    for turn in range(6):
        a_run(task)
        chosen += [boot for boot, _ in assign(NOW + timedelta(milliseconds=turn))]
    assert chosen == [worker.boot_id for worker in workers] * 2


def test_many_runs_cost_few_statements(django_assert_max_num_queries):
    a_worker(max_tasks=500)
    task = a_task()
    for _ in range(300):
        a_run(task)
    with django_assert_max_num_queries(9):
        assert len(assign(NOW)) == 300


def test_a_worker_gets_all_in_one_letter_unless_it_would_grow_too_large():
    small, large = a_worker(labels={"size": "s"}, max_tasks=200), a_worker(labels={"size": "l"}, max_tasks=200)
    for worker, command in ((small, "true"), (large, "#" + "x" * 60_000)):
        task = a_task(worker_labels=worker.labels, command=command)
        for _ in range(60):
            a_run(task)
    letters = duty(NOW, look(NOW).placements).letters
    numbers = [(boot, len(message.items)) for boot, message in letters]
    assert sorted(count for boot, count in numbers if boot == small.boot_id) == [60]
    assert sorted(count for boot, count in numbers if boot == large.boot_id) == [5] * 12


def test_a_strategy_that_is_not_installed_here_holds_up_nothing(caplog: pytest.LogCaptureFixture):
    worker = a_worker()
    run = a_run(a_task(strategy="of_another_package"))
    assert [(boot, message.key.run) for boot, message in assign(NOW)] == [(worker.boot_id, run.pk)]
    assert "The strategy of_another_package of task" in caplog.text
