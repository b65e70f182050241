"""Whether what tasks call, or a worker, may be used."""

from __future__ import annotations

from django.db import models
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat


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


def set_aside_until() -> Subquery:
    """Of a row of `WorkerInfo`: from when on it may try again; null unless it is set aside."""
    circuits = Circuit.objects.exclude(state="closed").filter(target=Concat(Value("worker:"), OuterRef("name")))
    return Subquery(circuits.values("retry_at")[:1])
