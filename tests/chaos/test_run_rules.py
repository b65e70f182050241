"""A good history is spoilt in one way, and the rule that is broken says so, alone; what is just allowed breaks none."""

import pytest
from msgspec.structs import replace

from tests.chaos.builder import Builder, change, drop, good, move, of
from tests.chaos.checker import check
from tests.chaos.history import Attempt, Cancel, History, Run
from tests.chaos.run_rules import is_excused
from tests.chaos.windows import DEFAULT


@pytest.fixture
def history() -> History:
    return good()


def kinds(history: History) -> list[str]:
    return [finding.kind for finding in check(history, DEFAULT)]


def forget(history: History, run: str) -> None:
    """Neither the API nor the ledger knows the run."""
    drop(history.runs, of(run))
    history.starts = [each for each in history.starts if each.run != run]
    history.ends = [each for each in history.ends if each.run != run]


def test_a_good_history_has_no_findings(history):
    assert check(history, DEFAULT) == []


def test_an_empty_history_has_no_findings():
    assert check(Builder().history, DEFAULT) == []


# lost


def test_lost(history):
    forget(history, "h1")
    assert kinds(history) == ["lost"]


def test_an_accepted_request_without_a_run_is_lost(history):
    change(history.submissions, lambda each: each.run == "h1", run=None)
    assert kinds(history) == ["lost"]


@pytest.mark.parametrize("status", [0, 429, 503])
def test_what_was_not_accepted_is_not_lost(history, status):
    forget(history, "h1")
    change(history.submissions, lambda each: each.run == "h1", status=status, run=None)
    assert kinds(history) == []


# never_ended


@pytest.mark.parametrize("status", ["pending", "assigned", "running"])
def test_never_ended(history, status):
    forget(history, "h1")
    history.runs.append(Run("h1", "hand", "manual", 2.0, status, "", 1, "", 1000.0))
    assert kinds(history) == ["never_ended"]


def test_a_run_that_ended_after_it_was_seen_running_has_ended(history):
    history.runs.insert(0, replace(history.final["h1"], status="running", seen=3.0))
    assert kinds(history) == []


# missed


@pytest.mark.parametrize("run", ["e10", "e20", "e30", "e40"])
def test_missed(history, run):
    forget(history, run)
    assert kinds(history) == ["missed"]


def test_a_skipped_run_without_a_reason_is_missed(history):
    change(history.runs, of("e30"), reason="")
    assert "missed" in kinds(history)


def test_a_run_that_a_person_made_stands_for_no_nominal_time(history):
    change(history.runs, of("e10"), origin="manual")
    assert kinds(history) == ["missed"]


def test_a_run_of_another_task_stands_for_no_nominal_time_of_this_one(history):
    change(history.runs, of("e10"), task="hand")
    assert kinds(history) == ["missed"]


@pytest.mark.parametrize(("off", "expected"), [(0.0009, []), (-0.0009, []), (0.002, ["missed"])])
def test_a_nominal_time_is_the_same_within_a_millisecond(history, off, expected):
    change(history.runs, of("e10"), nominal=10.0 + off)
    assert kinds(history) == expected


# doubled


@pytest.mark.parametrize(("off", "expected"), [(0.0, ["doubled"]), (0.0009, ["doubled"]), (0.002, [])])
def test_two_runs_of_one_nominal_time_are_doubled(history, off, expected):
    history.runs.append(replace(history.final["e30"], id="e30-again", nominal=30.0 + off))
    assert kinds(history) == expected


def test_one_key_with_two_runs_is_doubled(history):
    change(history.submissions, lambda each: each.run == "h2", key="first")
    assert kinds(history) == ["doubled"]


def test_one_run_for_two_keys_is_doubled(history):
    change(history.submissions, lambda each: each.run is None, key="third", run="h1", status=202)
    assert kinds(history) == ["doubled"]


def test_the_same_answer_twice_is_not_doubled(history):
    history.submissions.append(next(each for each in history.submissions if each.run == "h1"))
    assert kinds(history) == []


def test_tasks_may_share_a_key(history):
    assert {each.task for each in history.submissions if each.key == "first"} == {"hand", "once"}
    assert kinds(history) == []


# unmatched


def test_unmatched(history):
    """One of two executions begins when neither nominal time is meant any more."""
    move(history.starts, of("e10"), by=50.0)
    move(history.ends, of("e10"), by=50.0)
    assert kinds(history) == ["unmatched", "late"]


def test_a_command_that_never_ended_stands_for_nothing(history):
    drop(history.ends, of("e20"))
    assert kinds(history) == ["unmatched", "stale_accepted"]


def test_only_when_an_execution_began_counts(history):
    """The two runs of `every` say they were for each other's nominal time; both times have an execution."""
    change(history.starts, of("e10"), nominal=20.0)
    change(history.starts, of("e20"), nominal=10.0)
    assert kinds(history) == []


def test_an_excused_run_takes_no_execution_from_another():
    told = Builder()
    told.plan("every", 1.0, first=1.0, last=2.0)
    told.execute("a", 1.1, None)
    told.see("every", "a", "failed", "timeout", nominal=1.0)
    told.execute("b", 2.1, 0.1)
    told.see("every", "b", "succeeded", nominal=2.0)
    assert kinds(told.history) == []


def test_a_run_that_was_started_again_is_matched_though_no_fault_was_felt_when_it_was_due():
    told = Builder()
    told.plan("every", 10.0, first=10.0, last=10.0)
    told.execute("e10", 10.1, None)
    told.fault(14.0, 15.0)
    told.kill(14.5)
    told.execute("e10", 26.0, 3.0, attempt=2)
    attempts = [Attempt(1, "worker-1", "worker_lost")]
    told.see("every", "e10", "succeeded", nominal=10.0, attempt=2, attempts=attempts)
    assert kinds(told.history) == []
    told.history.faults.clear()
    assert kinds(told.history) == ["unmatched"]


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("failed", "error", True),
        ("skipped", "overlap", True),
        ("cancelled", "cancelled", True),
        ("failed", "", False),
        ("succeeded", "error", False),
        ("running", "error", False),
    ],
)
def test_excuses(history, status, reason, expected):
    assert is_excused(replace(history.final["e10"], status=status, reason=reason)) == expected


# final_left


@pytest.mark.parametrize("values", [{"reason": "timeout"}, {"attempt": 2}, {"status": "succeeded"}])
def test_final_left_for_another_outcome(history, values):
    history.runs.insert(0, replace(history.final["e40"], **values))
    assert kinds(history) == ["final_left"]


def test_final_left_for_a_life_after_it(history):
    last = history.final["h1"]
    history.runs += [replace(last, status="running"), last]
    assert kinds(history) == ["final_left"]


def test_a_run_may_change_as_long_as_it_is_open(history):
    last = history.final["h2"]
    history.runs[:0] = [replace(last, status=s, attempt=1) for s in ("pending", "running", "pending", "assigned")]
    assert kinds(history) == []


# cancel_ignored


@pytest.mark.parametrize(
    ("run", "answer", "expected"),
    [
        ("h1", 202, ["cancel_ignored"]),
        ("h1", 409, []),
        ("h1", 0, []),
        ("e40", 202, []),
        ("none", 202, ["cancel_ignored"]),
    ],
)
def test_cancel_ignored_for_a_run_that_went_on_to_its_end(history, run, answer, expected):
    history.cancels.append(Cancel(run, 1.0, 1.1, answer))
    assert kinds(history) == expected
