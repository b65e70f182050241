"""The admin pages of tasks, runs, backfills, calendars, circuits, flows, pauses and pools."""

from tasks_app.admin.backfills import BackfillAdmin
from tasks_app.admin.calendars import CalendarAdmin
from tasks_app.admin.circuits import CircuitAdmin
from tasks_app.admin.flows import FlowAdmin
from tasks_app.admin.pauses import PauseAdmin
from tasks_app.admin.pools import PoolAdmin
from tasks_app.admin.runs import RunAdmin
from tasks_app.admin.tasks import TaskAdmin

__all__ = [
    "BackfillAdmin",
    "CalendarAdmin",
    "CircuitAdmin",
    "FlowAdmin",
    "PauseAdmin",
    "PoolAdmin",
    "RunAdmin",
    "TaskAdmin",
]
