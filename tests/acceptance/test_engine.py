"""A task runs, end to end, through real processes."""

import signal
import threading
import time

import pytest

from tests.acceptance.harness import Stack, running
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance


def test_a_run_goes_through_every_part(stack: Stack):
    stack.worker()
    run = stack.run(stack.task('echo "run $SCHEDULER_RUN_ID attempt $SCHEDULER_ATTEMPT"; exit 0'))
    ended = stack.wait_for(run)
    assert (ended["exit_code"], ended["worker"], ended["attempt"]) == (0, "worker-1", 1)
    assert stack.log(run) == f"run {run} attempt 1\n"


def test_a_schedule_of_seconds_fires_on_time(stack: Stack):
    stack.worker()
    task = stack.task("date +%s.%N", schedule="*/2 * * * * *")
    runs = wait_until(lambda: _ended(stack, task, 4), 20, "four runs have ended")
    for run in runs:
        started = float(stack.log(run["id"]))
        nominal = time.mktime(time.strptime(run["scheduled_for"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        assert nominal % 2 == 0
        assert 0 <= started - nominal < 1.5
    assert len({run["scheduled_for"] for run in runs}) == len(runs)


def _ended(stack: Stack, task: int, least: int) -> list[dict]:
    runs = stack.get(f"runs/?task={task}&status=succeeded")["results"]
    return runs if len(runs) >= least else []


def test_a_killed_worker_loses_its_process_and_another_takes_over(stack: Stack):
    first = stack.worker("first")
    run = stack.run(stack.task('[ "$SCHEDULER_ATTEMPT" = 1 ] && sleep 61.3; echo done'))
    stack.wait_for(run, "running")
    wait_until(lambda: running("61.3"), 5, "the command runs")
    first.kill()
    wait_until(lambda: not running("61.3"), 5, "the command died with its worker")
    stack.worker("second")
    ended = stack.wait_for(run, seconds=30)
    assert (ended["attempt"], ended["worker"]) == (2, "second")
    assert [(a["attempt"], a["worker"], a["reason"]) for a in ended["attempts"]] == [(1, "first", "worker_lost")]


def test_what_is_delivered_at_most_once_fails_with_its_worker(stack: Stack):
    worker = stack.worker("first")
    stack.worker("second")
    stack.post(f"workers/{_named(stack, 'second')}/drain/")
    run = stack.run(stack.task("sleep 66.8", delivery="at_most_once", max_attempts=5))
    stack.wait_for(run, "running")
    stack.post(f"workers/{_named(stack, 'second')}/undrain/")
    worker.kill()
    ended = stack.wait_for(run, "failed", seconds=30)
    assert (ended["reason"], ended["attempt"], ended["worker"]) == ("worker_lost", 1, "first")


def _named(stack: Stack, name: str) -> int:
    return next(w["id"] for w in stack.get("workers/")["results"] if w["name"] == name)


def test_a_killed_dispatcher_loses_and_doubles_nothing(stack: Stack, tmp_path):
    (dispatcher,) = [p for p in stack.processes if "beat" in p.args]
    stack.worker(max_tasks=10)
    ledger = tmp_path / "ledger"
    task = stack.task(f"echo $SCHEDULER_RUN_ID >> {ledger}")
    triggers = threading.Thread(target=lambda: [stack.run(task) for _ in range(200)])
    triggers.start()
    wait_until(lambda: ledger.exists() and len(ledger.read_text().split()) >= 20, 20, "runs are being made")
    dispatcher.kill()
    stack.dispatcher("dispatcher-2")
    triggers.join()
    wait_until(lambda: stack.counts(task) == {"succeeded": 200}, 60, "200 runs have succeeded")
    lines = ledger.read_text().split()
    assert len(lines) == len(set(lines)) == 200


def test_two_dispatchers_fire_and_assign_once(stack: Stack, tmp_path):
    stack.dispatcher("dispatcher-2")
    stack.worker("a")
    stack.worker("b")
    ledger = tmp_path / "ledger"
    for n in range(5):
        stack.task(f"echo {n} $SCHEDULER_SCHEDULED_FOR >> {ledger}", name=f"t{n}", schedule="* * * * * *")
    wait_until(lambda: ledger.exists() and len(ledger.read_text().splitlines()) >= 30, 30, "runs are being made")
    lines = ledger.read_text().splitlines()
    assert len(lines) == len(set(lines))


def test_a_running_run_is_cancelled_with_its_processes(stack: Stack):
    stack.worker()
    run = stack.run(stack.task("sleep 62.4"))
    wait_until(lambda: running("62.4"), 10, "the command runs")
    stack.wait_for(run, "running")
    stack.post(f"runs/{run}/cancel/")
    assert stack.wait_for(run, "cancelled")["reason"] == "cancelled"
    assert not running("62.4")


def test_a_stopping_worker_lets_runs_end_and_hands_the_rest_back(stack: Stack):
    worker = stack.worker("first", WORKER_GRACE_SECONDS="3")
    task = stack.task("sleep 1; echo short", name="short")
    short = stack.run(task)
    long = stack.run(stack.task('[ "$SCHEDULER_ATTEMPT" = 1 ] && sleep 63.5; echo long', name="long"))
    stack.wait_for(short, "running")
    wait_until(lambda: running("63.5"), 10, "the long command runs")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert not running("63.5")
    assert stack.wait_for(short)["attempt"] == 1
    assert [a["reason"] for a in stack.wait_for(long, "pending")["attempts"]] == ["shutdown"]
    stack.worker("second")
    assert stack.wait_for(long)["worker"] == "second"


def test_a_drained_worker_takes_nothing_new(stack: Stack):
    stack.worker("first")
    (worker,) = stack.get("workers/")["results"]
    stack.post(f"workers/{worker['id']}/drain/")
    run = stack.run(stack.task("true"))
    stack.worker("second")
    assert stack.wait_for(run)["worker"] == "second"
    stack.post(f"workers/{worker['id']}/undrain/")
    assert stack.get(f"workers/{worker['id']}/")["status"] == "online"


def test_a_run_is_retried_until_its_attempts_are_used_up(stack: Stack):
    stack.worker()
    run = stack.run(stack.task("exit 3", max_attempts=3, retry_delay_seconds=0.1))
    ended = stack.wait_for(run, "failed")
    assert (ended["attempt"], ended["exit_code"], ended["reason"]) == (3, 3, "error")
    assert [a["exit_code"] for a in ended["attempts"]] == [3, 3, 3]


def test_a_timed_out_run_fails_and_leaves_no_process(stack: Stack):
    stack.worker()
    run = stack.run(stack.task("setsid sleep 64.6", timeout_seconds=0.5, config={"grace_seconds": 1}))
    ended = stack.wait_for(run, "failed")
    assert ended["reason"] == "timeout"
    assert "0.5 s" in ended["error"]
    assert not running("64.6")


def test_a_dispatcher_that_is_told_to_stop_hands_over_cleanly(stack: Stack):
    stack.worker()
    task = stack.task("true", schedule="* * * * * *")
    second = stack.dispatcher("dispatcher-2")
    wait_until(lambda: _ended(stack, task, 3) and stack.listens("dispatcher-2"), 20, "runs end")
    second.send_signal(signal.SIGTERM)
    assert second.wait(5) == 0
    assert "Traceback" not in (stack.folder / "dispatcher-2.log").read_text()
    seen = len(_ended(stack, task, 0))
    wait_until(lambda: _ended(stack, task, seen + 2), 20, "the other one goes on")


def test_a_worker_without_a_lease_ends_what_it_runs_and_begins_anew(stack: Stack):
    (dispatcher,) = [p for p in stack.processes if "beat" in p.args]
    stack.worker()
    (before,) = stack.get("workers/")["results"]
    run = stack.run(
        stack.task('[ "$SCHEDULER_ATTEMPT" = 1 ] && exec sleep 65.7; echo done', config={"grace_seconds": 60})
    )
    wait_until(lambda: running("65.7"), 10, "the command runs")
    stack.wait_for(run, "running")
    dispatcher.kill()
    wait_until(lambda: not running("65.7"), 12, "the command ended with the lease")
    assert stack.get(f"runs/{run}/")["status"] == "running"
    stack.dispatcher("dispatcher-2")
    ended = stack.wait_for(run, seconds=20)
    assert (ended["attempt"], [a["reason"] for a in ended["attempts"]]) == (2, ["lease_ended"])
    (after,) = stack.get("workers/")["results"]
    assert (after["status"], after["pid"]) == ("online", before["pid"])
    assert after["boot_id"] != before["boot_id"]


def test_a_lost_hint_costs_at_most_a_second(make_stack):
    """The web service cannot reach the broker at all; it accepts, and the dispatcher looks by itself."""
    stack = make_stack()
    web = {**stack.environment, "BROKER_URL": "redis://127.0.0.1:1/0"}
    whole, stack.environment = stack.environment, web
    stack.web()
    stack.environment = whole
    stack.dispatcher()
    stack.worker()
    task = stack.task("date +%s.%N")
    for _ in range(3):
        accepted = time.time()
        run = stack.run(task)
        assert time.time() - accepted < 1
        stack.wait_for(run)
        assert float(stack.log(run)) - accepted < 1.8
