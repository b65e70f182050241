"""Why a run does not start: each gate with its value, since when it is shut, and what opens it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from access_app.models import Namespace
from tasks_app import actions, chains
from tasks_app.dispatch.fire import fire
from tasks_app.explaining import Line, explain, explain_time
from tasks_app.models import Calendar, Circuit, Pause, Permit, Pool, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run, given_out

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
GATES = ["time", "pause", "calendar", "dependency", "overlap", "mutex", "pool", "rate", "unique", "circuit", "priority"]
GATES += ["worker labels", "capacity"]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fresh(run: TaskRun) -> TaskRun:
    return TaskRun.objects.select_related("task", "worker", "flow").get(pk=run.pk)


def asked(run: TaskRun, now: datetime = NOW) -> dict[str, Line]:
    return {line.gate: line for line in explain(fresh(run), now).gates}


def shut(run: TaskRun, gate: str, now: datetime = NOW) -> Line:
    """The line of the one gate that is shut, which the summary names."""
    found = explain(fresh(run), now)
    assert [line.gate for line in found.gates if not line.open][:1] == [gate]
    line = next(line for line in found.gates if line.gate == gate and not line.open)
    assert found.summary == f"It waits at the gate “{gate}”. {line.value} What opens it: {line.opens}"
    return line


def two(**fields: Any) -> tuple[TaskRun, TaskRun]:
    """Two runs of a task, of which the first has been given out."""
    a_worker(max_tasks=100)
    task = a_task(name="dump", **fields)
    first, second = a_run(task, params={"host": "a"}), a_run(task, params={"host": "a"})
    assert given_out().number == 1
    return first, second


def test_every_gate_in_order_all_open():
    a_worker()
    found = explain(fresh(a_run()), NOW)
    assert [line.gate for line in found.gates] == GATES
    assert all(line.open and line.value.endswith(".") and not line.opens for line in found.gates)
    assert found.summary == "All gates are open: it starts as soon as a dispatcher looks, within a second."


def test_time():
    line = shut(a_run(available_at=after(90)), "time")
    assert line.value == "It is meant to start at 2030-01-01 12:01:30 UTC."
    assert shut(a_run(attempt=2, available_at=after(90)), "time").value.startswith("It is tried again at")


def test_pause():
    task, ann = a_task(), User.objects.create(username="ann")
    run = a_run(task)
    actions.pause(task, NOW, ann, reason="Migration", until=after(3600))
    line = shut(run, "pause", after(1))
    assert line.value == f"Paused: task {task}, by ann (Migration)."
    assert (line.since, line.opens) == (NOW, "It ends at 2030-01-01 13:00:00 UTC, or somebody resumes it.")


def test_pause_of_a_namespace_and_a_drain():
    task = a_task()
    run = a_run(task)
    wish = Pause(namespace=task.namespace, reason="Audit", drain=True)
    actions.pause_many(wish, NOW)
    assert asked(run)["pause"].value == "It is paused for new runs only: those there are may start."
    actions.pause_many(Pause(namespace=task.namespace), NOW)
    assert shut(run, "pause").value == "Paused: namespace default."


def test_calendar_holds_up_no_run():
    calendar = Calendar.objects.create(name="works", closed="2030-01-01 New Year")
    line = asked(a_run(a_task(calendar=calendar)))["calendar"]
    assert line.open
    assert "Now is closed by works" in line.value


def test_dependency():
    a_worker()
    parent, child = a_task(name="load"), a_task(name="report")
    child.depends_on = ["load"]
    chains.chain([child])
    parent.refresh_from_db()
    first = actions.trigger([actions.Trigger(parent)], NOW)[0]
    waiting = TaskRun.objects.get(task=child)
    line = shut(waiting, "dependency")
    assert (line.value, line.since) == ("It waits for 1 parent: load (pending).", NOW)
    assert line.opens == "They end as its rule all_success asks for."
    assert asked(first)["dependency"].value == "It has none."


def test_overlap():
    first, second = two(overlap="queue")
    line = shut(second, "overlap")
    assert line.value == (
        "Overlap: runs of the task at once: 1 of 1 taken, and it needs 1. "
        f"Taken by dump ({first.pk}) since 2030-01-01 12:00:00 UTC."
    )
    assert (line.since, line.opens) == (NOW, "1 run of the task ends for good.")


def test_mutex():
    first, second = two(mutex="db-{host}")
    line = shut(second, "mutex")
    assert line.value.startswith("Mutex “db-a”: 1 of 1 taken, and it needs 1. Taken by dump (")
    assert str(first.pk) in line.value


def test_pool():
    Pool.objects.create(name="licences", slots=3)
    _, second = two(pools={"licences": 2})
    assert shut(second, "pool").value.startswith("Pool “licences”: 2 of 3 taken, and it needs 2. Taken by dump")
    Pool.objects.update(slots=1)
    assert shut(second, "pool").opens == "Never, unless there is made more of it."


def test_rate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tasks_app.dispatch.permits.database_now", lambda: NOW)
    _, second = two(rate_count=1, rate_seconds=60)
    line = shut(second, "rate")
    assert line.value.startswith("Starts in 60.1 s, of task:")
    until = Permit.objects.get().until
    assert until
    assert line.opens == f"At {until:%Y-%m-%d %H:%M:%S} UTC one of these starts is no longer in the window."


def test_circuit():
    a_worker()
    task = a_task(circuit="hold")
    Circuit.objects.create(
        target=task.protects, state="open", failures=5, trips=1, opened_at=NOW, retry_at=after(30), updated_at=NOW
    )
    run = a_run(task)
    line = shut(run, "circuit")
    assert line.value == f"The circuit of task:{task.pk} is open after 5 failures in a row."
    assert (line.since, line.opens) == (NOW, "At 2030-01-01 12:00:30 UTC one run tries; it succeeds.")
    assert asked(run, after(31))["circuit"].open


def test_priority_says_how_many_go_first():
    a_run(), a_run(a_task(priority=5))
    run = a_run(available_at=NOW)
    assert asked(run)["priority"].value == "2 ready runs of the same kind go before it, by priority or age."


def test_worker_labels():
    run = a_run(a_task(worker_labels={"zone": "eu"}, excluded_labels={"disk": "slow"}))
    assert shut(run, "worker labels").value == "No worker is online."
    Namespace.objects.create(name="team")
    (
        a_worker(name="a"),
        a_worker(name="b", labels={"zone": "eu", "disk": "slow"}),
        a_worker(name="c", executors=["http"]),
    )
    a_worker(name="d", namespaces=["team"])
    assert shut(run, "worker labels").value == (
        "0 of 4 workers online may carry it out. a: it has no label zone=eu; b: it has the excluded label disk=slow; "
        "c: it has no executor “shell”; d: it serves other namespaces."
    )
    a_worker(name="e", labels={"zone": "eu"})
    assert asked(run)["worker labels"].value.startswith("1 of 5 workers online may carry it out. Not a: ")


def test_capacity():
    worker = a_worker(max_tasks=2)
    an_active_run(worker), an_active_run(worker)
    line = shut(a_run(), "capacity")
    assert line.value == "0 of 2 slots free on 1 worker that may carry it out."
    assert line.opens == "A run on one of them ends, or a worker is added."


def test_a_worker_that_is_set_aside_has_no_room():
    a_worker(name="bad")
    Circuit.objects.create(
        target="worker:bad", state="open", failures=3, trips=1, opened_at=NOW, retry_at=after(30), updated_at=NOW
    )
    line = shut(a_run(), "capacity")
    assert "as they could not start what they were given: bad." in line.value


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "skipped", "reason": "overlap", "completed_at": NOW}, "Another run of the task was active"),
        ({"status": "skipped", "reason": "missed", "completed_at": NOW}, "while no dispatcher could fire it"),
        ({"status": "cancelled", "reason": "cancelled", "completed_at": NOW}, "Somebody cancelled it."),
        ({"status": "succeeded", "completed_at": NOW}, "It has succeeded"),
        ({"status": "failed", "reason": "error", "error": "It broke.", "completed_at": NOW}, "(error). It broke."),
    ],
)
def test_what_does_not_wait_has_no_gates(fields: dict[str, Any], told: str):
    found = explain(fresh(a_run(**fields)), NOW)
    assert told in found.summary
    assert found.gates == []


def test_what_runs_says_where():
    run = an_active_run(a_worker(name="w1"))
    assert explain(fresh(run), NOW).summary == "It is running on worker w1 since 2030-01-01 12:00:00 UTC."


# One nominal time of a task


def a_daily_task(**fields: Any) -> Task:
    return a_task(schedule="0 12 * * *", created_at=after(-86400 * 9), next_fire_at=NOW, **fields)


def test_a_time_that_ran_or_waits():
    task = a_daily_task(worker_labels={"gpu": "yes"})
    fire(NOW)
    assert "It waits at the gate “worker labels”." in explain_time(task, NOW, NOW)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (after(86400), "It is to come."),
        (after(60), "This is no nominal time of the task. The nearest: before it 2030-01-01 12:00:00 UTC and after it"),
        (after(-86400 * 20), "The task was made later, at"),
    ],
)
def test_times_without_a_run(at: datetime, told: str):
    assert explain_time(a_daily_task(), at, after(1)).startswith(told)


def test_a_time_that_is_due_and_not_fired():
    assert "is a dispatcher alive?" in explain_time(a_daily_task(), NOW, after(5))


def test_a_time_of_a_paused_task():
    task = a_daily_task(status="paused")
    assert "when it is resumed" in explain_time(task, NOW, after(5))


def test_a_time_that_was_skipped():
    task = a_daily_task(calendar=Calendar.objects.create(name="works", closed="2030-01-01 New Year"))
    fire(NOW)
    told = explain_time(task, NOW, after(5))
    assert "A calendar closes this time." in told
    assert "works" in told


def test_tasks_without_times():
    assert explain_time(a_task(created_at=after(-9)), NOW, NOW).startswith("The task has no schedule")
    parent, child = a_task(name="load"), a_task(created_at=after(-9))
    child.depends_on = [parent.name]
    chains.chain([child])
    assert explain_time(child, NOW, NOW) == "The task has no times of its own: it runs after load."
