"""What should run (Task), what is meant to run once (TaskRun), and what became of each try."""

from tasks_app.models.backfill import MOST_PARALLEL, Backfill
from tasks_app.models.calendar import Calendar
from tasks_app.models.circuit import Circuit, set_aside_until
from tasks_app.models.fan_out import MOST_ITEMS, FanOut
from tasks_app.models.flow import FlowPlan, FlowRun, TaskDependency
from tasks_app.models.missed import FormerPlan, MissedSpan
from tasks_app.models.pause import DRAINING, HELD, Pause
from tasks_app.models.periodic import PeriodicCheck, PeriodicMessage
from tasks_app.models.pool import Permit, Pool
from tasks_app.models.run import ACTIVE, DEPENDENCY, FINAL, RunAttempt, RunLog, TaskRun, run_of
from tasks_app.models.task import MOST_SCHEDULES, Task, default_namespace

__all__ = [
    "ACTIVE",
    "DEPENDENCY",
    "DRAINING",
    "FINAL",
    "HELD",
    "MOST_ITEMS",
    "MOST_PARALLEL",
    "MOST_SCHEDULES",
    "Backfill",
    "Calendar",
    "Circuit",
    "FanOut",
    "FlowPlan",
    "FlowRun",
    "FormerPlan",
    "MissedSpan",
    "Pause",
    "PeriodicCheck",
    "PeriodicMessage",
    "Permit",
    "Pool",
    "RunAttempt",
    "RunLog",
    "Task",
    "TaskDependency",
    "TaskRun",
    "default_namespace",
    "run_of",
    "set_aside_until",
]
