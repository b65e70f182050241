"""The admin pages of tasks, runs and circuits."""

from tasks_app.admin.circuits import CircuitAdmin
from tasks_app.admin.runs import RunAdmin
from tasks_app.admin.tasks import TaskAdmin

__all__ = ["CircuitAdmin", "RunAdmin", "TaskAdmin"]
