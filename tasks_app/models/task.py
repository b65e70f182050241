"""What should run, when, where and under which limits."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

import executors
from access_app.models import Namespace
from tasks_app import calendars, circuit
from tasks_app.models import choices
from tasks_app.models.calendar import Calendar
from tasks_app.models.chained import Chained
from tasks_app.models.guarded import Guarded
from tasks_app.models.limited import Limited
from tasks_app.models.placed import Placed
from tasks_app.models.spreading import Spreading
from tasks_app.schedule import (
    DIALECTS,
    GAPS,
    MOST_NTH,
    MOST_SPREAD,
    OVERLAPS,
    SPEC_FIELDS,
    Schedule,
    ScheduleError,
    Spec,
    further,
    has_own_place,
    read,
    spec_of,
)
from tasks_app.validators import validate_label_map, validate_name

CONFIG_BYTES = 512 * 1024
"""An assignment travels in one message, and a worker refuses one that is too large."""
MOST_SCHEDULES = 20
"""Of one task, beside its first."""
MOST_CATCH_UP = 1000
"""Missed times that one task makes up for in one go."""


def default_namespace() -> int:
    """Primary key of the namespace `default`."""
    return Namespace.objects.get_or_create(name="default")[0].pk


class Task(Chained, Spreading, Limited, Guarded, Placed):
    """What should run, when, where and under which limits."""

    FIRING = Q(status="active", hold=0, deleted_at=None)
    """It may fire."""
    WAITING = FIRING & Q(next_fire_at=None, waits=True)
    """It fires again when its run has ended."""

    Status = choices.Status
    CatchUp = choices.CatchUp
    OnClosed = choices.OnClosed
    Delivery = choices.Delivery
    CircuitMode = choices.CircuitMode

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
        help_text="Cron with 5 fields or 6 (seconds first), “@every 10s”, “@after 10m” (after the end of a run), "
        "“@at 2030-01-01T09:00”, “RRULE:FREQ=WEEKLY;BYDAY=MO”; empty: by hand.",
    )
    timezone = models.CharField(max_length=64, default="UTC", help_text="IANA time zone, such as Europe/Berlin.")
    dialect = models.CharField(
        max_length=10,
        choices=[(name, name) for name in DIALECTS],
        default="debian",
        db_default="debian",
        help_text="How cron fields are read: debian (5 fields, or 6 with seconds first), or quartz (seconds first, "
        "year last if any, Sunday is 1).",
    )
    dst_gap = models.CharField(
        max_length=10,
        choices=[(name, name) for name in GAPS],
        blank=True,
        default="",
        db_default="",
        help_text="A local time that does not exist, as clocks go forward: run at the first instant after (run_after), "
        "or skip. Empty: run_after for fixed times, skip where minute or hour starts with *.",
    )
    dst_overlap = models.CharField(
        max_length=10,
        choices=[(name, name) for name in OVERLAPS],
        blank=True,
        default="",
        db_default="",
        help_text="A local time that comes twice, as clocks go back: run the first time, the second, or both. Empty: "
        "first for fixed times, both where minute or hour starts with *.",
    )
    starts_at = models.DateTimeField(null=True, blank=True, help_text="It fires from then on. Empty: at once.")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="It fires only before then. Empty: for ever.")
    every_nth = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_NTH)],
        help_text="Only every n-th time of a cron, counted from the start.",
    )
    spread_seconds = models.PositiveIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(MOST_SPREAD)],
        help_text="Fire later by up to so many seconds, always by the same, so that not all tasks start at once.",
    )
    schedules = models.JSONField(
        default=list,
        blank=True,
        db_default=Value([], models.JSONField()),
        help_text="Further schedules: a list of objects with schedule, timezone and the other fields of one.",
    )
    after_outage = models.CharField(
        max_length=4,
        choices=CatchUp,
        default=CatchUp.LAST,
        db_default=CatchUp.LAST,
        help_text="Of the times that went by while no dispatcher could fire them (longer than a minute): run none, the "
        "last, or all. What does not run is recorded as skipped, reason missed.",
    )
    after_resume = models.CharField(
        max_length=4,
        choices=CatchUp,
        default=CatchUp.NONE,
        db_default=CatchUp.NONE,
        help_text="Of the times that went by while it was paused: run none, the last, or all. What does not run is "
        "recorded as skipped, reason paused.",
    )
    catch_up_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="What is older is not made up for. Empty: no limit.",
    )
    catch_up_runs = models.PositiveSmallIntegerField(
        default=100,
        db_default=100,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CATCH_UP)],
        help_text="Of “all” so many at most, the newest.",
    )
    calendar = models.ForeignKey(
        Calendar,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="tasks",
        db_index=False,
        help_text="On its closed days and hours the task does not fire.",
    )
    on_closed = models.CharField(
        max_length=8,
        choices=OnClosed,
        default=OnClosed.SKIP,
        db_default=OnClosed.SKIP,
        help_text="What is due on a day that is closed: skip it, or move it to the open day before (previous) or after "
        "(next), at the same time of day.",
    )
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
    labels = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        validators=[validate_label_map],
        help_text="What the task is about, as a JSON object of texts; tasks with a label can be paused together.",
    )
    managed_by = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The file that says what this task is (manage.py apply); empty: people do.",
    )
    target = models.CharField(max_length=300, null=True, editable=False, help_text="Of its circuit; null: itself.")
    next_fire_at = models.DateTimeField(null=True, editable=False)
    planned_at = models.DateTimeField(null=True, editable=False, help_text="Since when it has this plan; null: always.")
    waits = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Until its run has ended: then it fires again."
    )
    hold = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="By pauses. 1: nothing fires; 2: nothing starts either.",
    )
    held_until = models.DateTimeField(null=True, editable=False, help_text="When the last such pause ended.")
    deleted_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["namespace_id", "name"]
        constraints = [
            *Chained.Meta.constraints,
            *Limited.Meta.constraints,
            models.UniqueConstraint(
                fields=["namespace", "name"],
                condition=Q(deleted_at=None),
                name="task_name_unique",
                violation_error_message="A task with this name exists already in the namespace.",
            ),
            models.CheckConstraint(condition=Q(status__in=["active", "paused"]), name="task_status_known"),
            models.CheckConstraint(
                condition=Q(after_outage__in=["none", "last", "all"], after_resume__in=["none", "last", "all"]),
                name="task_catch_up_known",
            ),
            models.CheckConstraint(
                condition=Q(on_closed__in=["skip", "previous", "next"]), name="task_on_closed_known"
            ),
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
                condition=Q(status="active", hold=0, deleted_at=None, next_fire_at__isnull=False),
            ),
            models.Index(fields=["calendar"], name="task_by_calendar", condition=Q(calendar__isnull=False)),
            models.Index(fields=["managed_by"], name="task_managed", condition=~Q(managed_by="")),
            models.Index(
                fields=["id"],
                name="task_waiting",
                condition=Q(status="active", hold=0, deleted_at=None, next_fire_at=None, waits=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self, *, chained: bool = True) -> None:
        """Every rule of a task that is more than one field's own; raises `ValidationError` naming the fields.

        Without `chained` it is left to others whether there are the tasks it depends on.
        """
        problems: dict[str, str] = {}
        try:
            executors.spec(self.executor).check(self.command, self.config)
        except executors.ConfigError as error:
            problems[error.field] = error.message
        if len(json.dumps(self.config)) > CONFIG_BYTES:
            problems["config"] = f"At most {CONFIG_BYTES // 1024} KiB as JSON. Let the task fetch what is larger."
        try:
            self.plan()
        except ScheduleError as error:
            problems[error.field] = error.message
        if self.calendar and self.calendar.namespace_id not in (None, self.namespace_id):
            problems["calendar"] = f"Only tasks of the namespace “{self.calendar.namespace}” can use this calendar."
        if self.calendar is None and self.on_closed != self.OnClosed.SKIP:
            problems["on_closed"] = "Say by which calendar, or choose skip."
        problems |= self.check_limits(self.namespace_id) | self.check_spreading() | self.check_guards()
        if chained:
            problems |= self.check_chain()
        if problems:
            raise ValidationError(problems)

    def specs(self) -> tuple[Spec, ...]:
        """Its schedules as they are written down; raises `ScheduleError`."""
        own = Spec(**{name: getattr(self, name) for name in SPEC_FIELDS})
        if not isinstance(self.schedules, list) or len(self.schedules) > MOST_SCHEDULES:
            raise ScheduleError("schedules", f"This must be a list of at most {MOST_SCHEDULES} objects.")
        return (own, *(self._further(number, values) for number, values in enumerate(self.schedules, start=1)))

    def _further(self, number: int, values: Any) -> Spec:
        if not isinstance(values, dict):
            raise ScheduleError("schedules", f"{number}: This must be a JSON object.")
        try:
            if not values.get("schedule"):
                raise ScheduleError("schedule", "This must not be empty.")
            return spec_of(values, self.timezone)
        except ScheduleError as error:
            raise further(number, error) from None

    @property
    def key(self) -> str:
        """What decides on its own place among others."""
        return f"{self.namespace_id}/{self.name}"

    def plan(self) -> Schedule:
        """When it fires; raises `ScheduleError`."""
        return read(self.specs(), self.key, calendars.shift_of(self.shift))

    @property
    def shift(self) -> dict[str, str] | None:
        """Where what is due on closed days is moved, and the rules that close them, as plain data."""
        if self.calendar is None or self.on_closed == self.OnClosed.SKIP:
            return None
        return asdict(self.calendar.rules) | {"to": self.on_closed}

    @property
    def planned_by(self) -> tuple[object, ...]:
        """All that decides when it fires."""
        specs = self.specs()
        return (specs, self.key if any(map(has_own_place, specs)) else "", self.shift)

    def plan_next(self, now: datetime) -> None:
        """Set when it fires next, counted from `now`; where that depends on the end of a run, others find out."""
        plan = self.plan()
        self.waits = plan.waits
        self.next_fire_at = None if plan.waits else plan.next_after(now)
        self.updated_at = now

    @property
    def is_held(self) -> bool:
        """It fires nothing, by its own pause or by that of others."""
        return self.status == self.Status.PAUSED or self.hold > 0

    @property
    def placement(self) -> str:
        """What a worker must offer, and for whom."""
        return self.placement_in(self.namespace_id, self.executor)

    @property
    def protects(self) -> str:
        """The target of its circuit."""
        return self.target or circuit.task(self.pk)
