"""The admin pages of tasks and runs."""

from tasks_app.admin.runs import RunAdmin
from tasks_app.admin.tasks import TaskAdmin

__all__ = ["RunAdmin", "TaskAdmin"]
