"""What did not run, and by which plans tasks fired once."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from tasks_app.models.task import Task


class MissedSpan(models.Model):
    """All nominal times of a task in a span that were skipped together, where they are too many for a record each."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="missed_spans", db_index=False)
    since = models.DateTimeField()
    until = models.DateTimeField(help_text="Before then.")
    reason = models.CharField(max_length=20)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(until__gt=F("since")), name="missed_span_is_not_empty")]
        indexes = [models.Index(fields=["task", "since"], name="missed_span_of_task")]

    def __str__(self) -> str:
        return f"{self.task_id}: {self.since} to {self.until}"


class FormerPlan(models.Model):
    """By what a task fired, from when on and before when."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="former_plans", db_index=False)
    schedules = models.JSONField(help_text="Each as one of a task's further schedules.")
    key = models.TextField(help_text="Which decided on the task's own place among others.")
    shift = models.JSONField(null=True, help_text="The rules of the calendar by which it was moved, and where to.")
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["task", "until"], name="former_plan_of_task")]

    def __str__(self) -> str:
        return f"{self.task_id}: {self.since} to {self.until}"
