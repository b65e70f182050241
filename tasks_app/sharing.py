"""Runs of the same task share one object of it: a join would bring, and decode, the task once for each run."""

from collections.abc import Iterable

from tasks_app.models import Task, TaskRun


class Tasks:
    """The tasks of runs, loaded once in a transaction, with these fields only."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._query = Task.objects.only(*(name.removesuffix("_id") for name in fields))
        self._known: dict[int, Task] = {}

    def of(self, runs: list[TaskRun]) -> None:
        """Give each of `runs` its task."""
        missing = {run.task_id for run in runs} - self._known.keys()
        if missing:
            self._known |= {task.pk: task for task in self._query.filter(pk__in=missing)}
        for run in runs:
            run.task = self._known[run.task_id]
