"""What a file may say of a task."""

from __future__ import annotations

from typing import Any

from django.db.models import Field

from tasks_app.models import Task
from tasks_app.schedule import SPEC_FIELDS

NAMES = (
    *("description", "executor", "command", "config"),
    *SPEC_FIELDS,
    *("schedules", "after_outage", "after_resume", "catch_up_seconds", "catch_up_runs", "calendar", "on_closed"),
    *("priority", "timeout_seconds", "max_attempts", "retry_delay_seconds", "retry_max_delay_seconds"),
    *("delivery", "circuit", "circuit_failures", "circuit_seconds", "labels"),
    *("worker_labels", "excluded_labels", "preferred_labels", "strategy"),
    *Task.CHAIN,
    *Task.FAN_OUT,
    *Task.LIMITS,
    *Task.GUARDS,
    "depends_on",
)
"""Beside `name` and `namespace`. Whether a task is paused is said by those who operate it, not by the file."""
FIELDS: dict[str, Field[Any, Any]] = {each.name: each for each in Task._meta.concrete_fields if each.name in NAMES}


def default(name: str) -> Any:
    """What a task has that says nothing of that field."""
    return FIELDS[name].get_default() if name in FIELDS else []
