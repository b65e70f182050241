"""What depends on what: storing the parents that tasks want."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef

from access_app.models import Namespace
from tasks_app.models import Task, TaskDependency


def chain(tasks: Iterable[Task]) -> None:
    """Store the parents that `tasks`, which are stored, want; callers hold a transaction.

    Raises `ValidationError` where they cannot have them all together; its message names the task where there are
    several.
    """
    wanting = [task for task in tasks if task.wants_parents]
    if not wanting:
        return
    # Two edits at a time, each fine by itself, might make a cycle together.
    list(Namespace.objects.filter(pk__in={task.namespace_id for task in wanting}).select_for_update())
    touched = {parent for task in wanting for parent in store_parents(task)}
    mark_parents(touched)
    seen: set[int | None] = set()
    for task in wanting:
        # All is stored, so one look at the graph of a namespace is enough for all of its tasks.
        look = task.namespace_id not in seen and (task.leads or task.feeds or task.dependencies.exists())
        seen |= {task.namespace_id} if look else set()
        if problems := task.check_chain(graph=look):
            named = {field: f"{task.name}: {text}" if len(wanting) > 1 else text for field, text in problems.items()}
            raise ValidationError(named)


def store_parents(task: Task) -> set[int]:
    """Store what `task` wants; return the parents it had or has."""
    wanted = task.parents()
    stored = dict(task.dependencies.values_list("parent", "when"))
    task.parents_stored()
    if wanted == stored:
        return set()
    task.dependencies.exclude(parent__in=wanted).delete()
    for parent, when in wanted.items():
        TaskDependency.objects.update_or_create(task=task, parent_id=parent, defaults={"when": when})
    return {*wanted, *stored}


def mark_parents(tasks: Collection[int]) -> None:
    """See that each of `tasks` knows whether others follow it."""
    if not tasks:
        return
    children = TaskDependency.objects.filter(parent=OuterRef("pk"), task__deleted_at=None)
    rows = Task.objects.filter(pk__in=list(tasks)).annotate(
        is_leading=Exists(children.filter(task__depend_on=Task.DependOn.FLOW)),
        is_feeding=Exists(children.filter(task__depend_on=Task.DependOn.LATEST)),
    )
    for task in rows:
        if (task.leads, task.feeds) != (task.is_leading, task.is_feeding):
            Task.objects.filter(pk=task.pk).update(leads=task.is_leading, feeds=task.is_feeding)
