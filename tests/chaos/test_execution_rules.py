"""A good history is spoilt in one way, and the rule that is broken says so, alone; what is just allowed breaks none."""

from dataclasses import replace as replace_limits

import pytest
from msgspec.structs import replace

from tests.chaos.builder import Builder, change, drop, good, move, of
from tests.chaos.checker import check
from tests.chaos.execution_rules import most_alive
from tests.chaos.facts import Execution
from tests.chaos.history import Attempt, History, Kill
from tests.chaos.windows import DEFAULT


@pytest.fixture
def history() -> History:
    return good()


def kinds(history: History) -> list[str]:
    return [finding.kind for finding in check(history, DEFAULT)]


def start_again(history: History, run: str, attempt: int, at: float) -> None:
    """The ledger has one more start, which never came to its end."""
    first = next(each for each in history.starts if each.run == run)
    history.starts.append(replace(first, attempt=attempt, pid=9999, at=at))


def told_twice(delivery: str = "at_least_once", reason: str = "error") -> Builder:
    """One run, tried again after an attempt that ended with `reason`, without any fault."""
    told = Builder()
    told.plan("task", delivery=delivery)
    told.submit("task", "run", 1.0, key="key")
    told.execute("run", 1.5, None)
    told.execute("run", 6.0, 1.0, attempt=2)
    told.see("task", "run", "succeeded", attempt=2, attempts=[Attempt(1, "worker-1", reason)])
    return told


# early


@pytest.mark.parametrize(("start", "expected"), [(39.994, ["early"]), (39.996, []), (40.0, [])])
def test_early_for_the_schedule(history, start, expected):
    change(history.starts, of("e40"), at=start)
    assert kinds(history) == expected


@pytest.mark.parametrize(("start", "expected"), [(0.99, ["early"]), (1.5, []), (2.005, [])])
def test_early_for_a_request(history, start, expected):
    """The first try, sent at 1.0, got no answer, and may be what made the run all the same."""
    change(history.starts, of("h1"), at=start)
    assert kinds(history) == expected


def test_a_later_attempt_may_be_early_too(history):
    change(history.starts, of("o1", 1), at=49.0)
    change(history.starts, of("o1", 2), at=49.5)
    assert kinds(history) == ["early", "early"]


def test_what_nobody_is_known_to_have_asked_for_is_not_early(history):
    drop(history.submissions, lambda each: each.key == "first" and each.task == "hand")
    change(history.starts, of("h1"), at=0.1)
    assert kinds(history) == []


# late


@pytest.mark.parametrize(("start", "expected"), [(12.0, []), (12.001, ["late"])])
def test_late_for_the_schedule(history, start, expected):
    change(history.starts, of("e10"), at=start)
    change(history.ends, of("e10"), at=start + 1)
    assert kinds(history) == expected


@pytest.mark.parametrize(("start", "expected"), [(4.0, []), (4.02, ["late"])])
def test_late_counts_from_the_answer(history, start, expected):
    change(history.starts, of("h1"), at=start)
    change(history.ends, of("h1"), at=start + 1)
    assert kinds(history) == expected


def test_late_counts_from_the_first_answer(history):
    again = next(each for each in history.submissions if each.run == "h1")
    history.submissions.append(replace(again, sent=3.0, answered=3.1))
    change(history.starts, of("h1"), at=4.02)
    change(history.ends, of("h1"), at=5.0)
    assert kinds(history) == ["late"]


@pytest.mark.parametrize(("start", "expected"), [(55.0, []), (55.1, ["late"])])
def test_late_in_a_fault(history, start, expected):
    change(history.starts, of("o2"), at=start)
    assert kinds(history) == expected


def test_a_later_attempt_is_not_late():
    assert kinds(told_twice().history) == []


# stood_still


@pytest.mark.parametrize(("other", "fault", "expected"), [(17.0, None, True), (15.0, None, False), (17.0, 16.0, False)])
def test_stood_still(other, fault, expected):
    """A run is due at 1.01 and starts at 20; `other` is when another one starts, `fault` when there is one."""
    told = Builder()
    told.plan("task")
    for run, start in {"run": 20.0, "other": other}.items():
        told.submit("task", run, 1.0, key=run)
        told.execute(run, start, 1.0)
        told.see("task", run, "succeeded")
    if fault:
        told.fault(fault, fault + 1)
    limits = replace_limits(DEFAULT, still_seconds=15.0)
    assert ("stood_still" in {finding.kind for finding in check(told.history, limits)}) == expected


# unknown_execution, unledgered, stale_accepted


def test_unknown_execution(history):
    start_again(history, "e10", 1, 5.0)
    history.starts[-1] = replace(history.starts[-1], run="nobody's")
    assert kinds(history) == ["unknown_execution"]


def test_an_end_that_is_not_known_is_unknown_too(history):
    history.ends.append(replace(history.ends[0], run="nobody's"))
    assert kinds(history) == ["unknown_execution"]


def test_unledgered(history):
    drop(history.starts, of("h1"))
    drop(history.ends, of("h1"))
    assert kinds(history) == ["unledgered"]


def test_a_success_of_an_attempt_that_never_started_is_unledgered(history):
    change(history.runs, of("h1"), attempt=2)
    assert kinds(history) == ["unledgered"]


@pytest.mark.parametrize("run", ["e30", "e40"])
def test_what_did_not_succeed_need_not_be_in_the_ledger(history, run):
    history.starts = [each for each in history.starts if each.run != run]
    assert kinds(history) == []


def test_stale_accepted_when_a_later_attempt_was_started(history):
    start_again(history, "h1", 2, 4.0)
    assert kinds(history) == ["stale_accepted", "extra_starts", "kills"]


def test_stale_accepted_of_a_failure(history):
    change(history.runs, of("o1"), attempt=1, status="failed", reason="error")
    assert kinds(history) == ["stale_accepted"]


def test_stale_accepted_when_the_attempt_never_came_to_its_end(history):
    drop(history.ends, of("h1"))
    assert kinds(history) == ["stale_accepted"]


def test_an_earlier_attempt_that_never_ended_is_not_stale(history):
    assert {each.attempt for each in history.ends if each.run == "e20"} == {2}
    assert kinds(history) == []


# wrong_worker


@pytest.mark.parametrize("worker", ["worker-2", ""])
def test_wrong_worker(history, worker):
    change(history.runs, of("h1"), worker=worker)
    assert kinds(history) == ["wrong_worker"]


def test_a_run_that_has_not_ended_may_be_without_a_worker(history):
    change(history.runs, of("o2"), status="pending", worker="")
    assert kinds(history) == ["never_ended"]


def test_a_run_may_have_moved_from_another_worker(history):
    assert {each.worker for each in history.starts if each.run == "e20"} == {"worker-1", "worker-2"}
    assert kinds(history) == []


# attempt_twice


def test_attempt_twice(history):
    start_again(history, "o1", 1, 50.5)
    assert kinds(history) == ["attempt_twice", "kills"]


# overlap


@pytest.mark.parametrize(("seconds", "expected"), [(4.9, ["overlap"]), (4.4, []), (0.1, []), (None, [])])
def test_overlap_with_an_attempt_that_ended_later(seconds, expected):
    told = told_twice()
    told.history.starts.clear()
    told.history.ends.clear()
    told.execute("run", 1.6, seconds)
    told.execute("run", 6.0, 1.0, attempt=2)
    assert kinds(told.history) == expected


def test_what_stood_still_while_another_attempt_began_does_not_overlap():
    """Frozen with its worker for longer than the lease, it comes to its end before anything can end it."""
    told = told_twice()
    change(told.history.starts, of("run", 1), at=1.0)
    pid = next(each.pid for each in told.history.starts if each.attempt == 1)
    told.history.ends.append(replace(told.history.ends[0], attempt=1, pid=pid, at=6.1))
    assert kinds(told.history) == []
    change(told.history.starts, of("run", 1), at=1.2)
    assert kinds(told.history) == ["overlap"]


def test_an_earlier_attempt_that_starts_while_a_later_one_works_overlaps():
    told = Builder()
    told.submit("task", "run", 1.0, key="key")
    told.execute("run", 2.0, 3.0, attempt=2)
    told.execute("run", 3.0, None, attempt=1)
    told.see("task", "run", "succeeded", attempt=2, attempts=[Attempt(1, "worker-1", "error")])
    assert kinds(told.history) == ["overlap"]


def test_the_second_but_one_may_be_the_one_that_lives_on():
    told = Builder()
    told.execute("run", 2.0, 4.0, attempt=1)
    told.execute("run", 3.0, 1.0, attempt=2)
    told.execute("run", 5.0, 3.0, attempt=3)
    told.see("task", "run", "succeeded", attempt=3, attempts=[Attempt(n, "worker-1", "error") for n in (1, 2)])
    assert kinds(told.history) == ["overlap", "overlap"]


# second_start


@pytest.mark.parametrize("reason", ["worker_lost", "lease_ended", "shutdown", "undelivered"])
def test_second_start(reason):
    told = told_twice("at_most_once", reason)
    told.fault(1.4, 1.6)
    assert kinds(told.history) == ["second_start"]


def test_second_start_without_any_record_of_the_first():
    told = told_twice("at_most_once")
    told.fault(1.4, 1.6)
    change(told.history.runs, of("run"), attempts=[])
    assert kinds(told.history) == ["second_start"]


@pytest.mark.parametrize("reason", ["error", "timeout"])
def test_what_ended_by_itself_may_start_again(reason):
    assert kinds(told_twice("at_most_once", reason).history) == []


@pytest.mark.parametrize("reason", ["worker_lost", "lease_ended", "shutdown"])
def test_what_is_delivered_at_least_once_may_start_again(reason):
    told = told_twice("at_least_once", reason)
    told.fault(1.4, 1.6)
    assert kinds(told.history) == []


def test_an_attempt_that_never_started_counts_for_nothing():
    """Its assignment was lost on the way: what is on record did nothing."""
    told = told_twice("at_most_once", "undelivered")
    drop(told.history.starts, of("run", 1))
    told.fault(1.4, 1.6)
    assert kinds(told.history) == []


# extra_starts, kills


def test_extra_starts(history):
    change(history.runs, of("h2"), attempts=[])
    assert kinds(history) == ["extra_starts"]


def test_the_record_of_the_last_attempt_allows_no_start(history):
    """It ended the run, and no start came after it."""
    last = history.final["h2"].attempts[0]
    change(history.runs, of("h2"), attempts=[replace(last, number=2)])
    assert kinds(history) == ["extra_starts"]


def test_kills():
    told = told_twice(reason="worker_lost")
    assert kinds(told.history) == ["kills"]


@pytest.mark.parametrize("at", [0.6, 2.0, 5.9])
def test_an_attempt_whose_worker_was_killed_allows_one_more_start(at):
    """Killed just before the command began, too, which nobody could stop any more."""
    told = told_twice(reason="worker_lost")
    told.kill(at)
    assert kinds(told.history) == []


def test_each_attempt_needs_a_kill_of_its_own():
    told = told_twice(reason="worker_lost")
    told.kill(2.0)
    told.kill(3.0)
    told.execute("run", 8.0, 1.0, attempt=3)
    change(told.history.runs, of("run"), attempt=3, attempts=[Attempt(n, "worker-1", "worker_lost") for n in (1, 2)])
    assert kinds(told.history) == ["kills"]
    told.kill(7.0)
    assert kinds(told.history) == []


@pytest.mark.parametrize(
    ("role", "name", "at"),
    [
        ("dispatcher", "worker-1", 2.0),
        ("worker", "worker-2", 2.0),
        ("worker", "worker-1", 0.4),
        ("worker", "worker-1", 6.1),
    ],
)
def test_other_kills_allow_none(role, name, at):
    told = told_twice(reason="worker_lost")
    told.history.kills.append(Kill(role, name, at))
    assert kinds(told.history) == ["kills"]


def test_a_fault_that_only_kills_workers_allows_no_start_besides():
    told = told_twice(reason="worker_lost")
    told.fault(1.4, 9.0, "kill_worker")
    assert kinds(told.history) == ["kills"]
    told.kill(2.0)
    assert kinds(told.history) == []


@pytest.mark.parametrize(("begin", "end", "expected"), [(5.0, 9.0, []), (-40.0, -28.0, []), (6.1, 9.0, ["kills"])])
def test_each_fault_that_was_felt_allows_one_more_start(begin, end, expected):
    told = told_twice(reason="worker_lost")
    told.fault(begin, end)
    assert kinds(told.history) == expected


# over_slots


@pytest.mark.parametrize(("slots", "expected"), [(2, ["over_slots"]), (3, [])])
def test_over_slots(slots, expected):
    told = Builder(slots)
    for run, start in {"a": 1.0, "b": 2.0, "c": 2.5, "d": 4.0}.items():
        told.submit("task", run, start - 0.1, key=run)
        told.execute(run, start, 2.0)
        told.see("task", run, "succeeded")
    assert kinds(told.history) == expected


@pytest.mark.parametrize("other", [{"worker": "worker-2"}, {"parent": 2}, {"seconds": None}])
def test_only_complete_executions_of_one_process_share_its_slots(other):
    told = Builder(slots=1)
    told.execute("a", 1.0, 2.0)
    told.see("task", "a", "succeeded")
    told.execute("b", 2.0, **{"seconds": 2.0, **other})
    told.see("task", "b", "failed", "error", worker=other.get("worker", "worker-1"))
    assert kinds(told.history) == []


def test_a_worker_that_nobody_started_has_no_slots():
    told = Builder()
    told.execute("a", 1.0, 2.0, worker="stranger")
    told.see("task", "a", "succeeded", worker="stranger")
    assert kinds(told.history) == ["over_slots"]


def test_a_slot_is_free_the_moment_an_attempt_ends():
    spans = [(1.0, 2.0), (2.0, 3.0), (2.5, 4.0), (2.5, None)]
    executions = [Execution("run", 1, "worker-1", 1, start, end) for start, end in spans]
    assert most_alive(executions) == (2, 2.5)
    assert most_alive([]) == (0, 0.0)


def test_moving_a_run_within_its_window_breaks_nothing(history):
    for lines in (history.starts, history.ends):
        move(lines, of("e10"), by=1.5)
    assert kinds(history) == []
