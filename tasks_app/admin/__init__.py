"""The admin pages of tasks, runs, calendars and circuits."""

from tasks_app.admin.calendars import CalendarAdmin
from tasks_app.admin.circuits import CircuitAdmin
from tasks_app.admin.runs import RunAdmin
from tasks_app.admin.tasks import TaskAdmin

__all__ = ["CalendarAdmin", "CircuitAdmin", "RunAdmin", "TaskAdmin"]
