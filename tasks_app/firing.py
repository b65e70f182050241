"""Nominal times that have come become runs, or are recorded as skipped."""

from collections.abc import Iterable
from datetime import datetime

from tasks_app import flows
from tasks_app.closing import closures, general
from tasks_app.due import due, runs, spans
from tasks_app.models import Task, TaskRun
from tasks_app.sql import insert, update

MOST = 5000
"""Runs made in one go, about: after an outage tasks take their turns."""


def fire(tasks: Iterable[Task], now: datetime, *, forget: bool = False) -> list[TaskRun]:
    """Settle what is due of `tasks`, which are locked, and plan them; return the runs made, those skipped too.

    Once `MOST` runs are made, the tasks that are left stay as they are. `forget`: nothing of it runs.
    """
    settled, made = [], []
    calendars = general()
    for task in tasks:
        what = due(task, now, closures(task, calendars), forget=forget)
        settled.append(what)
        made += runs(what, now)
        if len(made) >= MOST:
            break
    flows.create(made, now)
    insert([shared for what in settled for shared in spans(what, now)])
    update(Task, ["id"], [{"id": what.task.pk, "next_fire_at": what.next} for what in settled])
    return made
