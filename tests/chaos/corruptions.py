"""One way to spoil a good history for each kind of finding; each gives up an example that has nothing to spoil."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from hypothesis import assume
from msgspec.structs import replace

from tests.chaos.builder import change, drop, move, of
from tests.chaos.execution_rules import most_alive
from tests.chaos.facts import Execution, Facts
from tests.chaos.history import Cancel, History, Run, Started
from tests.chaos.windows import DEFAULT, deadline

Thing = TypeVar("Thing")


def _one(choice: Random, things: list[Thing]) -> Thing:
    assume(things)
    return choice.choice(things)


def _facts(history: History) -> Facts:
    return Facts(history, DEFAULT)


def _a_run(history: History, choice: Random, *statuses: str) -> Run:
    runs = list(history.final.values())
    return _one(choice, [run for run in runs if not statuses or run.status in statuses])


def _a_scheduled_run(history: History, choice: Random) -> Run:
    return _one(choice, [run for run in history.final.values() if run.origin == "schedule"])


def _a_started_run(history: History, choice: Random) -> tuple[Run, list[Execution]]:
    return _one(choice, _facts(history).known_executions)


def _a_lost_worker(history: History, choice: Random) -> Run:
    """A run that succeeded after its worker was lost."""
    again = [run for run in history.final.values() if run.status == "succeeded"]
    return _one(choice, [run for run in again if any(each.reason == "worker_lost" for each in run.attempts)])


def lost(history: History, choice: Random) -> None:
    drop(history.runs, of(_one(choice, [each.run for each in history.submissions if each.run]) or ""))


def never_ended(history: History, choice: Random) -> None:
    status = choice.choice(["pending", "assigned", "running"])
    change(history.runs, of(_a_run(history, choice).id), status=status)


def missed(history: History, choice: Random) -> None:
    drop(history.runs, of(_a_scheduled_run(history, choice).id))


def doubled(history: History, choice: Random) -> None:
    run = _a_scheduled_run(history, choice)
    history.runs.append(replace(run, id="another", nominal=run.nominal + choice.uniform(-0.0009, 0.0009)))


def unmatched(history: History, choice: Random) -> None:
    """No execution of the schedule comes to its end."""
    scheduled = {run.id for run in history.final.values() if run.origin == "schedule"}
    assume(any(run.origin == "schedule" and run.status == "succeeded" for run in history.final.values()))
    drop(history.ends, lambda each: each.run in scheduled)


def final_left(history: History, choice: Random) -> None:
    run = _a_run(history, choice)
    others = [
        replace(run, reason="upstream"),
        replace(run, attempt=run.attempt + 1),
        replace(run, status="failed", reason="?"),
    ]
    history.runs.insert(0, choice.choice(others))


def cancel_ignored(history: History, choice: Random) -> None:
    history.cancels.append(Cancel(_a_run(history, choice, "succeeded").id, 0.0, 0.1, 202))


def early(history: History, choice: Random) -> None:
    run, executions = _a_started_run(history, choice)
    facts = _facts(history)
    since = run.nominal if run.origin == "schedule" else facts.sent[run.id]
    change(history.starts, of(run.id, choice.choice(executions).attempt), at=since - choice.uniform(0.01, 10.0))


def late(history: History, choice: Random) -> None:
    """The whole life of a run is moved, so that its first start is late."""
    run, executions = _a_started_run(history, choice)
    until = deadline(_facts(history).due[run.id], history.faults, DEFAULT)
    by = until - executions[0].start + choice.uniform(0.001, 10.0)
    move(history.starts, of(run.id), by)
    move(history.ends, of(run.id), by)


def stood_still(history: History, choice: Random) -> None:
    """From a moment without any fault on, all that is to start starts much later."""
    run, executions = _a_started_run(history, choice)
    # A request may be carried out before it is answered.
    since = min(_facts(history).due[run.id], executions[0].start)
    by = DEFAULT.still_seconds + 1.0
    assume(not any(fault.begin <= since + by and since <= fault.end for fault in history.faults))
    for things in (history.starts, history.ends):
        move(things, lambda each: each.at >= since, by)


def unknown_execution(history: History, choice: Random) -> None:
    start = _one(choice, history.starts)
    history.starts.append(replace(start, run="nobody's"))


def unledgered(history: History, choice: Random) -> None:
    run = _a_run(history, choice, "succeeded")
    drop(history.starts, of(run.id, run.attempt))


def stale_accepted(history: History, choice: Random) -> None:
    run = _a_run(history, choice, "succeeded")
    if choice.random() < 0.5:
        drop(history.ends, of(run.id, run.attempt))
    else:
        _start_again(history, run, run.attempt + 1, by=10.0)


def wrong_worker(history: History, choice: Random) -> None:
    run, executions = _a_started_run(history, choice)
    change(history.starts, of(run.id, executions[-1].attempt), worker="another")


def attempt_twice(history: History, choice: Random) -> None:
    run, _ = _a_started_run(history, choice)
    _start_again(history, run, run.attempt, by=choice.uniform(0.0, 10.0))


def overlap(history: History, choice: Random) -> None:
    """Another attempt starts in the midst of one."""
    facts = _facts(history)
    found = _one(choice, [each for each in facts.all_executions if each.end is not None])
    start = next(each for each in history.starts if of(found.run, found.attempt)(each))
    middle = start.at + choice.uniform(0.1, 0.9) * ((found.end or 0.0) - start.at)
    history.starts.append(replace(start, attempt=found.attempt + 5, at=middle, pid=1))


def second_start(history: History, choice: Random) -> None:
    run = _a_lost_worker(history, choice)
    change(history.plans, lambda plan: plan.task == run.task, delivery="at_most_once")


def extra_starts(history: History, choice: Random) -> None:
    run = _a_lost_worker(history, choice)
    change(history.runs, of(run.id), attempts=[])


def kills(history: History, choice: Random) -> None:
    """Nobody killed the worker that was lost, or somebody killed another."""
    _a_lost_worker(history, choice)
    another = [replace(kill, name="another") for kill in history.kills]
    history.kills[:] = choice.choice([[], another])


def over_slots(history: History, choice: Random) -> None:
    complete = [each for each in _facts(history).all_executions if each.end is not None]
    one = _one(choice, complete)
    most, _ = most_alive([each for each in complete if (each.worker, each.parent) == (one.worker, one.parent)])
    history.begin = replace(history.begin, slots=history.begin.slots | {one.worker: most - 1})


def _start_again(history: History, run: Run, attempt: int, by: float) -> None:
    last: Started = [each for each in history.starts if each.run == run.id][-1]
    history.starts.append(replace(last, attempt=attempt, at=last.at + by, pid=1))


Corruption = Callable[[History, Random], None]
CORRUPTIONS: tuple[Corruption, ...] = (
    *(
        lost,
        never_ended,
        missed,
        doubled,
        unmatched,
        final_left,
        cancel_ignored,
        early,
        late,
        stood_still,
        unknown_execution,
        unledgered,
    ),
    *(stale_accepted, wrong_worker, attempt_twice, overlap, second_start, extra_starts, kills, over_slots),
)
"""Each is called as the finding it makes."""
