"""Gates that are open or shut for a run by itself: time, pause, calendar, dependency, circuit."""

from __future__ import annotations

from tasks_app import pausing
from tasks_app.closing import closures, general
from tasks_app.explaining.line import Line, Question, counted, moment
from tasks_app.models import DEPENDENCY, Circuit, Task, TaskRun
from tasks_app.schedule import ScheduleError

SHOWN = 5


def time(question: Question) -> Line:
    run = question.run
    if run.available_at <= question.now:
        return Line("time", True, f"It may start since {moment(run.available_at)}.")
    why = "It is tried again" if run.attempt > 1 else "It is meant to start"
    return Line("time", False, f"{why} at {moment(run.available_at)}.", run.created_at, "That moment comes.")


def pause(question: Question) -> Line:
    task, needed = question.run.task, question.needs.get("pause")
    if task.deleted_at:
        return Line("pause", False, "The task has been deleted.", task.deleted_at, "Nothing: cancel the run.")
    found = pausing.shown(task, pausing.general()) if task.is_held else None
    if not needed:
        draining = " It is paused for new runs only: those there are may start." if found else ""
        return Line("pause", True, draining.strip() or "Nothing pauses the task.")
    told = f"Paused: {found}" if found else "The task is paused"
    by = f", by {found.paused_by.username}" if found and found.paused_by else ""
    why = f" ({found.reason})" if found and found.reason else ""
    until = f"It ends at {moment(found.until)}, or somebody" if found and found.until else "Somebody"
    since = found.paused_at if found else None
    return Line("pause", False, f"{told}{by}{why}.", since, f"{until} resumes it.")


def calendar(question: Question) -> Line:
    """Heeded when a nominal time comes: a run that has been made may start on closed days, too."""
    task = question.run.task
    try:
        closed = closures(task, general()).why(question.now, task.plan().zone)
    except ScheduleError:
        closed = ""
    today = f"Now is closed by {closed}; that" if closed else "No calendar closes this moment; one"
    return Line("calendar", True, f"{today} keeps nominal times from firing, not runs that have been made.")


def dependency(question: Question) -> Line:
    run = question.run
    if not run.flow:
        return Line("dependency", True, "It is not part of a flow.")
    plan = run.flow.steps.steps
    parents = [plan[parent.step].name for parent in plan[run.step or 0].parents]
    if run.gate != DEPENDENCY:
        return Line("dependency", True, f"Its parents have ended: {', '.join(parents)}." if parents else "It has none.")
    rule = plan[run.step or 0].rule.value
    steps = [parent.step for parent in plan[run.step or 0].parents]
    open_ones = TaskRun.objects.filter(flow=run.flow, step__in=steps, completed_at=None).select_related("task")
    told = [f"{each.task.name} ({each.status})" for each in open_ones.order_by("step")]
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    value = f"It waits for {counted(len(told), 'parent')}: {', '.join(told[:SHOWN]) or 'none'}{more}."
    return Line("dependency", False, value, run.gate_since, f"They end as its rule {rule} asks for.")


def circuit(question: Question) -> Line:
    task = question.run.task
    if task.circuit == Task.CircuitMode.OFF:
        return Line("circuit", True, "The task has no circuit.")
    row = Circuit.objects.filter(target=task.protects).first()
    if row is None or not question.needs.get("circuit"):
        return Line("circuit", True, f"The circuit of {task.protects} is closed: nothing is wrong.")
    if row.state == "half_open":
        value, opens = f"One run tries {row.target} after {counted(row.failures, 'failure')}.", "That run succeeds."
        return Line("circuit", False, value, row.opened_at, opens)
    if any(need.most for need in question.needs["circuit"]):
        return Line("circuit", True, f"The circuit of {row.target} is open, and the next run may try whether it works.")
    value = f"The circuit of {row.target} is open after {counted(row.failures, 'failure')} in a row."
    return Line("circuit", False, value, row.opened_at, f"At {moment(row.retry_at)} one run tries; it succeeds.")
