"""Rules about executions: the ledger against what was due and what the API shows. Each yields what breaks it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.facts import FINAL, Execution, Facts, grouped, own_failures
from tests.chaos.history import Run
from tests.chaos.windows import Limits, deadline, touches

KILLING = ("kill_worker",)
"""Faults that do nothing else: what they cause has its causes among the kills."""


def early(facts: Facts) -> Iterator[str]:
    """An execution that starts before its run's nominal time, or, if it was triggered, before it was asked for."""
    for run, executions in facts.known_executions:
        if run.origin == "schedule":
            since = run.nominal - facts.limits.early_seconds
        else:
            since = facts.sent.get(run.id, float("-inf"))
        for each in executions:
            if each.start < since:
                yield f"{run.task}: {_name(each)} started at {each.start:.3f}, {since - each.start:.3f} s too early."


def late(facts: Facts) -> Iterator[str]:
    """A run whose first start is later than its window; see `windows.deadline`."""
    for run, executions in facts.known_executions:
        if run.id in facts.due:
            due, start = facts.due[run.id], executions[0].start
            until = deadline(due, facts.history.faults, facts.limits)
            if start > until:
                lateness = f"{start - due:.3f} s after it was due, {start - until:.3f} s too late"
                yield f"{run.task}: run {run.id} started at {start:.3f}, {lateness}."


def stood_still(facts: Facts) -> Iterator[str]:
    """Nothing at all starts for a while though something is due and no fault is there.

    `late` sees none of that where faults follow each other so soon that each is still felt when the next one begins.
    """
    starts = [each.start for each in facts.all_executions]
    for run, executions in facts.known_executions:
        since = facts.due.get(run.id, executions[0].start)
        until = since + facts.limits.still_seconds
        is_calm = not any(fault.begin <= until and since <= fault.end for fault in facts.history.faults)
        if executions[0].start > until and is_calm and bisect_left(starts, since) == bisect_left(starts, until):
            yield f"{run.task}: run {run.id} was due at {since:.3f}, and nothing at all started until {until:.3f}."
            return


def unknown_execution(facts: Facts) -> Iterator[str]:
    """A ledger entry whose run the API does not know."""
    entries = facts.history.starts + facts.history.ends
    for run, attempt in sorted({(each.run, each.attempt) for each in entries if each.run not in facts.final}):
        yield f"The API knows no run {run}, of which attempt {attempt} is in the ledger."


def unledgered(facts: Facts) -> Iterator[str]:
    """A run shown as succeeded whose final attempt never started; one that did and has no end is `stale_accepted`."""
    for run in facts.final.values():
        if run.status == "succeeded" and not _final_attempts(facts, run):
            yield f"{run.task}: run {run.id} is shown as succeeded, but its attempt {run.attempt} is not in the ledger."


def stale_accepted(facts: Facts) -> Iterator[str]:
    """An outcome that is not that of the run's last attempt, or a success of one that never came to its end."""
    for run in facts.final.values():
        last = max((each.attempt for each in facts.executions.get(run.id, [])), default=0)
        if run.status in FINAL and last > run.attempt:
            yield f"{run.task}: run {run.id} is {run.status} with attempt {run.attempt}; attempt {last} was started."
        finals = _final_attempts(facts, run)
        if run.status == "succeeded" and finals and all(each.end is None for each in finals):
            yield f"{run.task}: run {run.id} is shown as succeeded, but attempt {run.attempt} never came to its end."


def wrong_worker(facts: Facts) -> Iterator[str]:
    """The final attempt of a run that has ended was started by another worker than the API shows."""
    for run in facts.final.values():
        for each in _final_attempts(facts, run):
            if run.status in FINAL and each.worker != run.worker:
                yield f"{run.task}: {_name(each)} was started by {each.worker}; the API shows “{run.worker}”."


def _final_attempts(facts: Facts, run: Run) -> list[Execution]:
    return [each for each in facts.executions.get(run.id, []) if each.attempt == run.attempt]


def attempt_twice(facts: Facts) -> Iterator[str]:
    """An attempt that started more than once."""
    for (run, attempt), times in Counter((each.run, each.attempt) for each in facts.history.starts).items():
        if times > 1:
            yield f"Attempt {attempt} of run {run} started {times} times."


def overlap(facts: Facts) -> Iterator[str]:
    """Two attempts of one run alive at the same moment.

    One is from its start to its end. When one without an end was gone is not known, only that it was there when it
    started. Nor is when one that took longer than any command works: it stood still, with all that should have ended
    it, and had only to wake up to come to its end.
    """
    for found in facts.executions.values():
        executions = [_as_known(each, facts.limits) for each in found]
        longest = executions[0]
        for each in executions[1:]:
            if longest.end is not None and each.start < longest.end and each.attempt != longest.attempt:
                other = f"attempt {each.attempt} started at {each.start:.3f}"
                yield f"{_name(longest)} ended at {longest.end:.3f}, but {other}."
            if each.end is not None and (longest.end is None or each.end > longest.end):
                longest = each


def _as_known(execution: Execution, limits: Limits) -> Execution:
    stood_still = execution.end is not None and execution.end - execution.start > limits.command_seconds
    return execution._replace(end=None) if stood_still else execution


def second_start(facts: Facts) -> Iterator[str]:
    """A run to be delivered at most once that started again after an attempt which did not end by itself."""
    for run, executions in facts.known_executions:
        if facts.is_at_most_once(run):
            for one, other in pairwise(executions):
                if one.attempt not in own_failures(run):
                    yield f"{run.task}: {_name(one)} did not end by itself, and attempt {other.attempt} was started."


def extra_starts(facts: Facts) -> Iterator[str]:
    """A run, to be delivered at least once, with more starts than the API accounts for.

    Each attempt before the final one that is on record as not ended well allows one start besides the first. What
    holds for each run holds for all of them together.
    """
    for run, executions in facts.known_executions:
        excused = sum(attempt.number < run.attempt for attempt in run.attempts)
        if not facts.is_at_most_once(run) and len(executions) > 1 + excused:
            why = f"{excused} attempts before the last are on record"
            yield f"{run.task}: run {run.id} started {len(executions)} times; {why}."


def kills(facts: Facts) -> Iterator[str]:
    """A run with more starts than there were causes.

    One start is its due. Every attempt whose worker was killed before the next one started allows one more, so does
    every fault that was felt meanwhile, and every attempt that failed by itself, as one does whose command is killed.
    """
    others = [fault for fault in facts.history.faults if fault.name not in KILLING]
    for run, executions in facts.known_executions:
        first, last = executions[0].start, executions[-1].start
        killed = sum(_was_killed(facts, one, other.start) for one, other in pairwise(executions))
        faults = sum(touches(fault, first, last, facts.limits) for fault in others)
        if len(executions) > 1 + killed + faults + len(own_failures(run)):
            causes = f"{killed} kills, {faults} faults and {len(own_failures(run))} failures of its own"
            yield f"{run.task}: run {run.id} started {len(executions)} times, with {causes}."


def _was_killed(facts: Facts, execution: Execution, until: float) -> bool:
    since = execution.start - facts.limits.orphan_seconds
    kills = (kill.at for kill in facts.history.kills if (kill.role, kill.name) == ("worker", execution.worker))
    return any(since <= at <= until for at in kills)


def over_slots(facts: Facts) -> Iterator[str]:
    """More attempts alive at the same moment on one worker process than it has slots; only those with an end count."""
    complete = [each for each in facts.all_executions if each.end is not None]
    for (worker, parent), executions in grouped(complete, lambda each: (each.worker, each.parent)).items():
        slots = facts.history.begin.slots.get(worker, 0)
        most, when = most_alive(executions)
        if most > slots:
            yield f"{worker} (process {parent}) had {most} attempts at {when:.3f}, and has {slots} slots."


def most_alive(executions: list[Execution]) -> tuple[int, float]:
    """How many there were at most at the same moment, and when first. A slot is free the moment an attempt ends."""
    changes = sorted(
        change for each in executions if each.end is not None for change in ((each.start, 1), (each.end, -1))
    )
    alive, most, when = 0, 0, 0.0
    for moment, change in changes:
        alive += change
        if alive > most:
            most, when = alive, moment
    return most, when


def _name(execution: Execution) -> str:
    return f"attempt {execution.attempt} of run {execution.run}"
