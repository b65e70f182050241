"""What depends on what, and each pass through it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tasks_app.flow.plan import Plan, decoded
from tasks_app.models.task import Task

LONGEST_CONDITION = 1000


class TaskDependency(models.Model):
    """A task runs after another."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependencies")
    parent = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependents")
    when = models.CharField(
        max_length=LONGEST_CONDITION,
        blank=True,
        default="",
        help_text="A condition on how the parent ended, such as result.rows > 0; where it is false, the parent counts "
        "as skipped, and where it is true as succeeded. Empty: how it ended.",
    )
    fresh = models.ForeignKey(
        "TaskRun",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        help_text="The parent's newest success that the task, where it waits for the latest, has not followed yet.",
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["task", "parent"], name="dependency_once"),
            models.CheckConstraint(condition=~Q(task=models.F("parent")), name="dependency_of_another"),
        ]

    def __str__(self) -> str:
        return f"{self.task} after {self.parent}"


class FlowPlan(models.Model):
    """The steps of a flow as they were when it began; flows that are the same share one."""

    digest = models.CharField(max_length=40, primary_key=True)
    steps = models.TextField()

    def __str__(self) -> str:
        return self.digest

    @staticmethod
    @lru_cache(maxsize=256)
    def read(pk: str) -> Plan:
        """The plan with this key, which is a digest of it."""
        return decoded(FlowPlan.objects.values_list("steps", flat=True).get(pk=pk))


class FlowRun(models.Model):
    """One pass through a task and all that depends on it."""

    class Status(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="flows", help_text="It begins with.")
    plan = models.ForeignKey(FlowPlan, on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    reason = models.CharField(max_length=20, blank=True, default="")
    params = models.JSONField(default=dict, blank=True)
    given = models.JSONField(
        default=dict, blank=True, help_text="Steps that an earlier flow has done, which this one goes on from."
    )
    scheduled_for = models.DateTimeField()
    deadline = models.DateTimeField(null=True, help_text="What is open then is cancelled.")
    retry_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="retries")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "flow"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="running", completed_at=None)
                | Q(status__in=["succeeded", "failed", "cancelled"], completed_at__isnull=False),
                name="flow_over_means_completed",
            )
        ]
        indexes = [
            models.Index(fields=["task", "-id"], name="flow_of_task"),
            models.Index(fields=["status", "-id"], name="flow_by_status"),
            models.Index(fields=["deadline"], name="flow_deadline", condition=Q(status="running")),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def steps(self) -> Plan:
        return FlowPlan.read(self.plan_id)

    def given_step(self, step: int) -> dict[str, Any] | None:
        """How an earlier flow has done this step."""
        found: dict[str, Any] | None = self.given.get(str(step))
        return found
