"""What should run (Task), what is meant to run once (TaskRun), and what became of each try."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat, Now
from uuid_utils.compat import uuid7

import executors
from access_app.models import Namespace
from tasks_app import circuit, schedule
from tasks_app.validators import validate_label_map, validate_name
from workers_app.balance import STRATEGIES
from workers_app.models import WorkerInfo

ACTIVE = ("assigned", "running")
CONFIG_BYTES = 512 * 1024
"""An assignment travels in one message, and a worker refuses one that is too large."""
FINAL = ("succeeded", "failed", "skipped", "cancelled")


def default_namespace() -> int:
    """Primary key of the namespace `default`."""
    return Namespace.objects.get_or_create(name="default")[0].pk


class Task(models.Model):
    """What should run, when, where and under which limits."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"

    class Delivery(models.TextChoices):
        AT_LEAST_ONCE = "at_least_once"
        AT_MOST_ONCE = "at_most_once"

    class CircuitMode(models.TextChoices):
        OFF = "off"
        HOLD = "hold"
        SKIP = "skip"

    namespace = models.ForeignKey(Namespace, on_delete=models.PROTECT, default=default_namespace, related_name="tasks")
    name = models.CharField(max_length=200, validators=[validate_name])
    description = models.TextField(blank=True, default="", max_length=10_000)
    executor = models.CharField(max_length=50, help_text="What carries it out: shell, http, …")
    command = models.TextField(help_text="What the shell runs, or the URL that http calls.")
    config = models.JSONField(default=dict, blank=True, help_text="The executor's other settings.")
    schedule = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="Cron with 5 fields or 6 (seconds first), “@every 10s”, “@at 2030-01-01T09:00”; empty: by hand.",
    )
    timezone = models.CharField(max_length=64, default="UTC", help_text="IANA time zone, such as Europe/Berlin.")
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    priority = models.SmallIntegerField(
        default=0, validators=[MinValueValidator(-100), MaxValueValidator(100)], help_text="Higher goes first."
    )
    timeout_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001), MaxValueValidator(31_536_000)],
        help_text="The attempt is ended after so many seconds; empty: never.",
    )
    max_attempts = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How often it is tried in all. A lost worker does not count.",
    )
    retry_delay_seconds = models.FloatField(
        default=5,
        validators=[MinValueValidator(0), MaxValueValidator(86_400)],
        help_text="The longest wait before the first retry (at least half of it); doubles with each further one.",
    )
    retry_max_delay_seconds = models.FloatField(
        default=300, validators=[MinValueValidator(0), MaxValueValidator(604_800)], help_text="No retry waits longer."
    )
    delivery = models.CharField(
        max_length=15,
        choices=Delivery,
        default=Delivery.AT_LEAST_ONCE,
        db_default=Delivery.AT_LEAST_ONCE,
        help_text="When a worker is lost with a run: start it again elsewhere (at_least_once), or never, as it may "
        "have begun (at_most_once: it fails with reason worker_lost).",
    )
    circuit = models.CharField(
        max_length=4,
        choices=CircuitMode,
        default=CircuitMode.OFF,
        db_default=CircuitMode.OFF,
        help_text="While what it calls fails again and again, its circuit is open: runs wait (hold) or are skipped "
        "(skip); off: it has none. For http that is the host and port, shared by all tasks that call them; else the "
        "task itself.",
    )
    circuit_failures = models.PositiveSmallIntegerField(
        default=5,
        db_default=5,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="So many failures in a row open the circuit.",
    )
    circuit_seconds = models.FloatField(
        default=30,
        db_default=30.0,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="It stays open for so long before one run may try; twice as long each time that fails, up to ten "
        "minutes (or this, if it is longer).",
    )
    worker_labels = models.JSONField(
        default=dict, blank=True, validators=[validate_label_map], help_text="Only workers with all these labels."
    )
    strategy = models.CharField(
        max_length=30,
        default="least_loaded",
        choices=[(name, name) for name in STRATEGIES],
        help_text="How a worker is chosen among those that may run it.",
    )
    target = models.CharField(max_length=300, null=True, editable=False, help_text="Of its circuit; null: itself.")
    next_fire_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["namespace_id", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["namespace", "name"],
                condition=Q(deleted_at=None),
                name="task_name_unique",
                violation_error_message="A task with this name exists already in the namespace.",
            ),
            models.CheckConstraint(condition=Q(status__in=["active", "paused"]), name="task_status_known"),
            models.CheckConstraint(
                condition=Q(delivery__in=["at_least_once", "at_most_once"]), name="task_delivery_known"
            ),
            models.CheckConstraint(condition=Q(circuit__in=["off", "hold", "skip"]), name="task_circuit_known"),
            models.CheckConstraint(
                condition=Q(circuit_failures__gte=1, circuit_seconds__gt=0), name="task_circuit_limits_positive"
            ),
            models.CheckConstraint(condition=~Q(name="") & ~Q(command="") & ~Q(executor=""), name="task_is_complete"),
            models.CheckConstraint(
                condition=Q(timeout_seconds=None) | Q(timeout_seconds__gt=0), name="task_timeout_positive"
            ),
            models.CheckConstraint(condition=Q(max_attempts__gte=1), name="task_has_attempts"),
            models.CheckConstraint(
                condition=Q(retry_delay_seconds__gte=0, retry_max_delay_seconds__gte=0), name="task_delays_not_negative"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_fire_at"],
                name="task_due",
                condition=Q(status="active", deleted_at=None, next_fire_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Every rule of a task that is more than one field's own; raises `ValidationError` naming the fields."""
        problems: dict[str, str] = {}
        try:
            executors.spec(self.executor).check(self.command, self.config)
        except executors.ConfigError as error:
            problems[error.field] = error.message
        if len(json.dumps(self.config)) > CONFIG_BYTES:
            problems["config"] = f"At most {CONFIG_BYTES // 1024} KiB as JSON. Let the task fetch what is larger."
        try:
            schedule.parse(self.schedule, self.timezone)
        except schedule.ScheduleError as error:
            problems[error.field] = error.message
        if problems:
            raise ValidationError(problems)

    def plan(self, now: datetime) -> None:
        """Set when it fires next, counted from `now`."""
        self.next_fire_at = schedule.parse(self.schedule, self.timezone).next_after(now)
        self.updated_at = now

    @property
    def placement(self) -> str:
        """What a worker must offer, as a canonical text: runs with the same text may go to the same workers."""
        return json.dumps([self.executor, sorted(self.worker_labels.items())], separators=(",", ":"))

    @property
    def protects(self) -> str:
        """The target of its circuit."""
        return self.target or circuit.task(self.pk)


class Circuit(models.Model):
    """Whether a target may be used: a row for each that has failed lately; `tasks_app.circuit` has the rules."""

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"

    target = models.CharField(
        max_length=300, unique=True, help_text="host:<name>:<port>, task:<id of the task> or worker:<name>."
    )
    state = models.CharField(max_length=10, choices=State, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    trips = models.PositiveIntegerField(default=0, help_text="Openings in a row; it stays open the longer.")
    opened_at = models.DateTimeField(null=True, help_text="When it went from closed to open last.")
    retry_at = models.DateTimeField(null=True, help_text="From then on one run may pass, as a probe.")
    probe_id = models.UUIDField(null=True, help_text="The run that is the probe.")
    probe_attempt = models.PositiveIntegerField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["closed", "open", "half_open"]), name="circuit_state_known"),
            models.CheckConstraint(
                condition=Q(state="closed") | Q(retry_at__isnull=False), name="circuit_open_until_then"
            ),
            models.CheckConstraint(
                condition=~Q(state="half_open") | Q(probe_id__isnull=False, probe_attempt__isnull=False),
                name="circuit_half_open_for_a_probe",
            ),
        ]
        indexes = [models.Index(fields=["target"], name="circuit_not_closed", condition=~Q(state="closed"))]

    def __str__(self) -> str:
        return self.target


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

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="runs")
    attempt = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=20, blank=True, default="")
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.MANUAL)
    priority = models.SmallIntegerField(default=0)
    placement = models.TextField()
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
                fields=["placement", "-priority", "available_at", "id"], name="run_ready", condition=Q(status="pending")
            ),
            models.Index(fields=["available_at"], name="run_waiting", condition=Q(status="pending")),
            models.Index(fields=["worker"], name="run_active_by_worker", condition=Q(status__in=ACTIVE)),
            models.Index(fields=["task", "-id"], name="run_of_task"),
            models.Index(fields=["worker", "-id"], name="run_of_worker"),
            models.Index(fields=["status", "-id"], name="run_by_status"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


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
    defaults = {"scheduled_for": now, "available_at": now, "created_at": now}
    return TaskRun(task=task, priority=task.priority, placement=task.placement, **(defaults | values))


def set_aside_until() -> Subquery:
    """Of a row of `WorkerInfo`: from when on it may try again; null unless it is set aside."""
    circuits = Circuit.objects.exclude(state="closed").filter(target=Concat(Value("worker:"), OuterRef("name")))
    return Subquery(circuits.values("retry_at")[:1])
