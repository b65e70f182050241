"""Why a run does not start, and why nothing ran: every gate in order, asked by the code that decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks_app.dispatch.probes import seen
from tasks_app.expected import Fate, fates
from tasks_app.explaining import counted, placed, stated
from tasks_app.explaining.line import Line, Question, moment
from tasks_app.gates import World, needs
from tasks_app.models import Task, TaskRun

__all__ = ["Explanation", "Line", "explain", "explain_time"]

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What keeps a run from starting, if anything does."""

    summary: str
    """The answer in a sentence or two."""
    gates: list[Line]
    """In the order in which they are asked; none where the run is not pending."""


def _counted(gate: str) -> Callable[[Question], Iterable[Line]]:
    return lambda question: counted.lines(gate, question)


def _one(ask: Callable[[Question], Line]) -> Callable[[Question], Iterable[Line]]:
    return lambda question: [ask(question)]


ASKED: list[Callable[[Question], Iterable[Line]]] = [
    *map(_one, (stated.time, stated.pause, stated.calendar, stated.dependency)),
    *map(_counted, ("overlap", "mutex", "pool", "rate", "unique")),
    *map(_one, (stated.circuit, placed.priority, placed.labels, placed.capacity)),
]


def explain(run: TaskRun, now: datetime) -> Explanation:
    """Why `run` is not running."""
    if run.status != TaskRun.Status.PENDING:
        return Explanation(_told(run), [])
    question = Question(run, now, World(*seen(now)))
    found = defaultdict(list)
    for need in needs(run, question.world):
        found[need.gate].append(need)
    question.needs = dict(found)
    gates = [line for ask in ASKED for line in ask(question)]
    shut = next((line for line in gates if not line.open), None)
    if shut is None:
        return Explanation("All gates are open: it starts as soon as a dispatcher looks, within a second.", gates)
    return Explanation(f"It waits at the gate “{shut.gate}”. {shut.value} What opens it: {shut.opens}", gates)


def _told(run: TaskRun) -> str:
    """Of a run that does not wait."""
    where = f" on worker {run.worker.name}" if run.worker else ""
    match run.status:
        case "assigned":
            return f"It was given to a worker{where} at {moment(run.assigned_at)} and starts there at any moment."
        case "running":
            return f"It is running{where} since {moment(run.started_at)}."
        case "succeeded":
            return f"It has succeeded{where} at {moment(run.completed_at)}."
        case "failed":
            why = f"{run.error} " if run.error else ""
            return f"It has failed{where} at {moment(run.completed_at)} ({run.reason}). {why}".strip()
    why = REASONS.get(run.reason, f"The reason is “{run.reason}”.")
    return f"It was {run.status} at {moment(run.completed_at)}. {why} {run.error}".strip()


REASONS = {
    "overlap": "Another run of the task was active, and its overlap rule does not let both be.",
    "missed": "Its time went by while no dispatcher could fire it (after_outage says what is made up for).",
    "paused": "Its time went by while the task was paused (after_resume says what is made up for).",
    "calendar": "A calendar closes this time.",
    "upstream": "What it depends on did not end as its rule asks for.",
    "expression": "An expression of its dependencies could not be evaluated.",
    "circuit": "The circuit of what the task calls was open, and the task is to be skipped then.",
    "unique": "A run with the same key had started shortly before.",
    "cancelled": "Somebody cancelled it.",
}


def explain_time(task: Task, at: datetime, now: datetime) -> str:
    """Why nothing ran, or what did, at one nominal time."""
    found = fates(task, at, at + timedelta(seconds=1), now, 2)
    if not found:
        return _no_time(task, at, now)
    return " ".join(_fate(fate, task, now) for fate in found)


def _fate(fate: Fate, task: Task, now: datetime) -> str:
    if fate.run:
        return f"Run {fate.run.pk}: {explain(fate.run, now).summary}"
    match fate.outcome:
        case "skipped":
            return f"It was skipped. {REASONS.get(fate.reason, fate.reason)}"
        case "due":
            return "It is due and has not been fired yet: is a dispatcher alive?" if fate.at < now else "It is to come."
        case "paused":
            return "The task is paused; what becomes of this time is decided when it is resumed (after_resume)."
    return "There is neither a run nor a record of it; the run may have been deleted."


def _no_time(task: Task, at: datetime, now: datetime) -> str:
    if at < task.created_at:
        return f"The task was made later, at {moment(task.created_at)}."
    if task.depends_on:
        parents = ", ".join(each["task"] for each in task.depends_on)
        return f"The task has no times of its own: it runs after {parents}."
    if not (task.schedule or task.schedules):
        return "The task has no schedule: it runs when somebody triggers it."
    before = fates(task, at - DAY, at, now, 10_000)
    after = fates(task, at, at + 366 * DAY, now, 1)
    near = [f"before it {moment(before[-1].at)}"] if before else []
    near += [f"after it {moment(after[0].at)}"] if after else []
    return f"This is no nominal time of the task. The nearest: {' and '.join(near) or 'none within a year'}."
