"""What a pending run must pass before it may be assigned."""

from datetime import datetime

from django.db.models import QuerySet

from tasks_app.models import TaskRun


def ready(now: datetime, placements: list[str]) -> QuerySet[TaskRun]:
    """Pending runs that pass every gate, the most urgent first; `placements` are those that have a free worker."""
    return (
        TaskRun.objects.filter(status="pending", placement__in=placements)
        .filter(available_at__lte=now)  # time
        .filter(task__status="active", task__deleted_at=None)  # pause
        .order_by("-priority", "available_at", "id")
    )
