"""Gates that count what runs have taken: overlap, mutex, pool, rate and their like."""

from __future__ import annotations

from collections.abc import Iterable

from tasks_app.dispatch.permits import taken
from tasks_app.explaining.line import Line, Question, counted, moment
from tasks_app.gates import Need
from tasks_app.models import Permit, TaskRun

SHOWN = 3
NAMES = {"overlap": "runs of the task at once", "mutex": "run with this key at once", "rate": "starts in the window"}
FREE = {
    "overlap": "The task does not limit its own runs.",
    "mutex": "The task names no mutex.",
    "pool": "The task takes slots of no pool.",
    "rate": "The task has no rate.",
    "unique": "Runs of the task need not be unique.",
}


def lines(gate: str, question: Question) -> Iterable[Line]:
    """One for each thing that the run needs there."""
    needs = question.needs.get(gate)
    if not needs:
        return [Line(gate, True, FREE.get(gate, "The task asks for nothing here."))]
    return [_line(gate, need, question) for need in needs]


def _line(gate: str, need: Need, question: Question) -> Line:
    used = taken([need.key], question.now)[need.key]
    if Permit.objects.filter(key=need.key, run_id=question.run.pk, attempt=None, until=None).exists():
        return Line(gate, True, "The run keeps what it has taken for its first attempt.")
    what = _what(gate, need, question)
    value = f"{what}: {used:,} of {need.most:,} taken, and it needs {need.takes:,}."
    if used + need.takes <= need.most:
        return Line(gate, True, value)
    if need.takes > need.most:
        return Line(gate, False, value, question.since(need.key), "Never, unless there is made more of it.")
    return Line(gate, False, f"{value} {_holders(need)}".strip(), question.since(need.key), _opens(gate, need))


def _what(gate: str, need: Need, question: Question) -> str:
    if gate == "pool":
        found = next((name for name in question.run.task.pools if _is_of(name, need, question)), need.key)
        return f"Pool “{found}”"
    if gate == "mutex":
        return f"Mutex “{need.key.split(':', 2)[2]}”"
    if gate == "unique":
        return f"Runs in {need.seconds:g} s of {need.key.split(':', 2)[2]}"
    if gate == "rate":
        return f"Starts in {need.seconds:g} s, of {need.key.split(':', 2)[2]}"
    return f"{gate.capitalize()}: {NAMES.get(gate, need.key)}"


def _is_of(name: str, need: Need, question: Question) -> bool:
    pool = question.world.pool(question.run.task.namespace_id, name)
    return need.key == (pool.key if pool else f"pool:?{name}")


def _holders(need: Need) -> str:
    permits = list(Permit.objects.filter(key=need.key).order_by("given_at")[:SHOWN])
    runs = TaskRun.objects.filter(pk__in=[permit.run_id for permit in permits]).select_related("task").in_bulk()
    told = [
        f"{runs[permit.run_id].task.name} ({permit.run_id}) since {moment(permit.given_at)}"
        for permit in permits
        if permit.run_id in runs
    ]
    return f"Taken by {'; '.join(told)}." if told else ""


def _opens(gate: str, need: Need) -> str:
    if gate == "rate":
        ends = Permit.objects.filter(key=need.key, until__isnull=False).order_by("until").first()
        return f"At {moment(ends.until)} one of these starts is no longer in the window." if ends else ""
    return "One of these runs ends." if gate != "overlap" else f"{counted(1, 'run')} of the task ends for good."
