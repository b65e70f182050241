"""Nominal times that have gone by, to be made up for."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property

from tasks_app.models.task import Task

MOST_PARALLEL = 1000


class Backfill(models.Model):
    """Nominal times of a task in a span, for which runs are made one after the other."""

    class Which(models.TextChoices):
        MISSING = "missing"
        FAILED = "failed"
        ALL = "all"

    class Order(models.TextChoices):
        OLDEST = "oldest"
        NEWEST = "newest"

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        CANCELLED = "cancelled"

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="backfills")
    since = models.DateTimeField(help_text="The first nominal time that counts.")
    until = models.DateTimeField(help_text="Nominal times before then.")
    which = models.CharField(
        max_length=7,
        choices=Which,
        default=Which.MISSING,
        help_text="missing: times that have no run, or only skipped and cancelled ones. failed: times whose newest run "
        "failed. all: every time.",
    )
    order = models.CharField(max_length=6, choices=Order, default=Order.OLDEST, help_text="Which come first.")
    parallel = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PARALLEL)],
        help_text="So many of its runs at the same time.",
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.RUNNING, editable=False)
    times = models.JSONField(editable=False, help_text="Seconds since 1970, in the order in which they are run.")
    total = models.PositiveIntegerField(editable=False)
    position = models.PositiveIntegerField(default=0, editable=False, help_text="So many of them have a run.")
    created_at = models.DateTimeField(editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="backfill_is_not_empty"),
            models.CheckConstraint(condition=Q(position__lte=F("total")), name="backfill_position_in_total"),
            models.CheckConstraint(condition=Q(parallel__gte=1), name="backfill_goes_on"),
        ]
        indexes = [models.Index(fields=["id"], name="backfill_running", condition=Q(status="running"))]

    @property
    def left(self) -> int:
        """So many nominal times have no run yet."""
        return self.total - self.position

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many runs it has, by status."""
        found = self.runs.order_by().values_list("status").annotate(models.Count("id"))
        return dict(sorted(found))

    def __str__(self) -> str:
        return f"{self.task}, {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
