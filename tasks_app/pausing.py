"""What pauses make of tasks: `Task.hold`, so that what fires and starts can be found without looking at any pause."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When

from tasks_app.models import DRAINING, HELD, Pause, Task


def settle(tasks: QuerySet[Task], now: datetime) -> None:
    """Give each of `tasks` the strongest hold of all pauses that cover it, and note when one has become free."""
    hold = _hold(general())
    held = tasks.annotate(wanted=hold).exclude(hold=F("wanted"))
    held.filter(wanted=0).update(hold=0, held_until=now)
    held.filter(wanted__gt=0).update(hold=hold)


def _hold(pauses: Iterable[Pause]) -> Case:
    """Of a task, as SQL."""
    given = list(pauses)
    return Case(
        *(
            When(condition, then=Value(strength))
            for strength in (HELD, DRAINING)
            for condition in (
                Q(pk__in=Pause.objects.filter(task__isnull=False, drain=strength == DRAINING).values("task")),
                *(pause.covers for pause in given if pause.hold == strength),
            )
        ),
        default=Value(0),
        output_field=IntegerField(),
    )


def general() -> list[Pause]:
    """The pauses of more than one task."""
    return list(Pause.objects.filter(task=None).select_related("namespace", "paused_by"))


def shown(task: Task, general: list[Pause]) -> Pause | None:
    """The pause that says why `task` is held: its own, or the strongest of `general` that covers it."""
    if own := getattr(task, "own_pause", None):
        return own
    found = [each for each in general if _covers(each, task)]
    return max(found, key=lambda pause: pause.hold, default=None)


def _covers(pause: Pause, task: Task) -> bool:
    key, _, value = pause.label.partition("=")
    return pause.namespace_id in (None, task.namespace_id) and (not pause.label or task.labels.get(key) == value)
