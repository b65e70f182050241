"""What is meant to run once, and what became of each try."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tasks_app.models.backfill import Backfill
from tasks_app.models.fan_out import FanOut
from tasks_app.models.flow import FlowRun
from tasks_app.models.task import Task
from workers_app.models import WorkerInfo

ACTIVE = ("assigned", "running")
FINAL = ("succeeded", "failed", "skipped", "cancelled")
DEPENDENCY = "dependency:flow"
"""The gate at which a step of a flow waits for its parents."""


class TaskRun(models.Model):
    """One intended execution of a task, for one nominal time or one trigger."""

    class Status(models.TextChoices):
        PENDING = "pending"
        ASSIGNED = "assigned"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        SKIPPED = "skipped"
        CANCELLED = "cancelled"

    class Origin(models.TextChoices):
        SCHEDULE = "schedule"
        MANUAL = "manual"
        RETRY = "retry"
        BACKFILL = "backfill"
        DEPENDENCY = "dependency"
        FAN_OUT = "fan_out"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="runs")
    attempt = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=20, blank=True, default="")
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.MANUAL)
    priority = models.SmallIntegerField(default=0)
    placement = models.TextField()
    gate = models.CharField(
        max_length=300, blank=True, default="", db_default="", help_text="Where it waits, as far as is known."
    )
    gate_since = models.DateTimeField(null=True)
    params = models.JSONField(default=dict, blank=True)
    scheduled_for = models.DateTimeField()
    available_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    assigned_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    worker = models.ForeignKey(WorkerInfo, null=True, on_delete=models.SET_NULL, related_name="runs", db_index=False)
    exit_code = models.IntegerField(null=True)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")
    failures = models.PositiveIntegerField(default=0, help_text="Attempts that count towards max_attempts.")
    losses = models.PositiveIntegerField(default=0, help_text="Attempts whose worker was lost.")
    cancel_requested_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(max_length=200, null=True)
    retry_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="retries")
    backfill = models.ForeignKey(
        Backfill, null=True, on_delete=models.SET_NULL, related_name="runs", db_index=False, help_text="It belongs to."
    )
    flow = models.ForeignKey(
        FlowRun, null=True, on_delete=models.CASCADE, related_name="runs", db_index=False, help_text="It is a step of."
    )
    step = models.PositiveIntegerField(null=True, help_text="Its place in the plan of its flow.")
    fan_out = models.ForeignKey(
        FanOut, null=True, on_delete=models.CASCADE, related_name="runs", db_index=False, help_text="It is an item of."
    )
    item = models.PositiveIntegerField(null=True, help_text="Its place among the items.")
    settled = models.BooleanField(
        default=True, db_default=True, help_text="What waits for its end knows of it, if anything does."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = "run"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "scheduled_for"], condition=Q(origin="schedule"), name="run_one_per_nominal_time"
            ),
            models.UniqueConstraint(
                fields=["task", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="run_idempotent",
            ),
            models.UniqueConstraint(fields=["flow", "step"], condition=Q(flow__isnull=False), name="run_step_once"),
            models.UniqueConstraint(
                fields=["fan_out", "item"], condition=Q(fan_out__isnull=False), name="run_item_once"
            ),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="run_attempts_from_one"),
            models.CheckConstraint(
                condition=Q(status__in=("pending", *ACTIVE), completed_at=None)
                | Q(status__in=FINAL, completed_at__isnull=False),
                name="run_final_means_completed",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=ACTIVE) | Q(assigned_at__isnull=False), name="run_active_was_assigned"
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(started_at__isnull=False), name="run_running_was_started"
            ),
        ]
        indexes = [
            models.Index(
                fields=["placement", "-priority", "available_at", "id"],
                name="run_ready",
                condition=Q(status="pending", gate=""),
            ),
            models.Index(
                fields=["gate", "-priority", "available_at", "id"],
                name="run_gated",
                condition=Q(status="pending") & ~Q(gate=""),
            ),
            models.Index(fields=["available_at"], name="run_waiting", condition=Q(status="pending")),
            models.Index(fields=["worker"], name="run_active_by_worker", condition=Q(status__in=ACTIVE)),
            models.Index(fields=["task", "-id"], name="run_of_task"),
            models.Index(fields=["worker", "-id"], name="run_of_worker"),
            models.Index(fields=["status", "-id"], name="run_by_status"),
            models.Index(fields=["id"], name="run_unsettled", condition=Q(settled=False, status__in=FINAL)),
            models.Index(
                fields=["fan_out"], name="run_open_item", condition=Q(fan_out__isnull=False) & ~Q(status__in=FINAL)
            ),
            models.Index(fields=["backfill", "-id"], name="run_of_backfill", condition=Q(backfill__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def fans_out(self) -> bool:
        """It is carried out as many, and not by a worker."""
        return self.fan_out_id is None and self.task.fans_out


class RunAttempt(models.Model):
    """A try that did not end its run well (one that did leaves its figures on the run itself)."""

    run = models.ForeignKey(TaskRun, on_delete=models.CASCADE, related_name="attempts")
    attempt = models.PositiveIntegerField()
    worker = models.ForeignKey(WorkerInfo, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=20)
    exit_code = models.IntegerField(null=True)
    error = models.TextField(blank=True, default="")
    assigned_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField()

    class Meta:
        ordering = ["run", "attempt"]
        constraints = [models.UniqueConstraint(fields=["run", "attempt"], name="attempt_once")]

    def __str__(self) -> str:
        return f"{self.run_id} attempt {self.attempt}"


class RunLog(models.Model):
    """A piece of an attempt's output. `position` = attempt * 2**32 + piece number orders all pieces of a run."""

    run = models.ForeignKey(TaskRun, on_delete=models.CASCADE, related_name="logs", db_index=False)
    position = models.BigIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["run", "position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="log_position_once")]

    def __str__(self) -> str:
        return f"{self.run_id} @{self.position}"

    @staticmethod
    def position_of(attempt: int, piece: int) -> int:
        return (attempt << 32) | piece

    @property
    def attempt(self) -> int:
        return self.position >> 32


def run_of(task: Task, *, now: datetime, **values: Any) -> TaskRun:
    """A new, unsaved run of `task`, due at `now` unless `values` say otherwise."""
    defaults = {"scheduled_for": now, "available_at": now, "created_at": now, "settled": not task.feeds}
    return TaskRun(task=task, priority=task.priority, placement=task.placement, **(defaults | values))
