"""What must change so that there are the tasks that a file says, and the changing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from tasks_app import actions, chains
from tasks_app.manifest.fields import NAMES
from tasks_app.models import Task

BATCH = 1000
"""Rows in one statement."""


@dataclass(slots=True)
class Changes:
    """The difference between a file and the database."""

    create: list[Task] = field(default_factory=list)
    change: list[tuple[Task, dict[str, tuple[Any, Any]]]] = field(default_factory=list)
    """A stored task as it shall be, and by field what it had and will have."""
    delete: list[Task] = field(default_factory=list)
    same: int = 0

    def __bool__(self) -> bool:
        return bool(self.create or self.change or self.delete)


def compare(wanted: list[Task], source: str, *, prune: bool) -> Changes:
    """`wanted` against what is stored, which is locked until the commit. With `prune` what `source` manages, and no
    longer names, is to go."""
    stored = {(task.namespace_id, task.name): task for task in _stored(wanted, source)}
    changes = Changes()
    for task in wanted:
        task.managed_by = source
        before = stored.pop((task.namespace_id, task.name), None)
        if before is None:
            changes.create.append(task)
        elif differences := dict(_differences(before, task)):
            for name, (_, value) in differences.items():
                setattr(before, name, value)
            changes.change.append((before, differences))
        else:
            changes.same += 1
    if prune:
        changes.delete = [task for task in stored.values() if task.managed_by == source]
    return changes


def _stored(wanted: list[Task], source: str) -> Iterator[Task]:
    """All tasks that `wanted` names, and all that `source` manages."""
    tasks = Task.objects.filter(deleted_at=None).select_related("namespace", "calendar").order_by("pk")
    tasks = tasks.prefetch_related("dependencies__parent")
    if connection.features.has_select_for_update_of:
        tasks = tasks.select_for_update(of=("self",))
    keys = {(task.namespace_id, task.name) for task in wanted}
    named = Q(namespace__in={namespace for namespace, _ in keys}, name__in={name for _, name in keys})
    for task in tasks.filter(named | Q(managed_by=source)):
        if (task.namespace_id, task.name) in keys or task.managed_by == source:
            yield task


def _differences(before: Task, after: Task) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in (*NAMES, "managed_by"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            yield name, (one, other)


def carry_out(changes: Changes, now: datetime) -> None:
    """Make it so; the caller holds the transaction. Raises what `actions` raise."""
    for start in range(0, len(changes.create), BATCH):
        actions.create(changes.create[start : start + BATCH], now)
    for task, _ in changes.change:
        actions.save(task, now, chained=False)
    chains.chain([*changes.create, *(task for task, _ in changes.change)])
    for task in changes.delete:
        actions.delete(task, now, together=changes.delete)
