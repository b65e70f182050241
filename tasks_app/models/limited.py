"""Which limits hold for the runs of a task, among each other and with those of other tasks."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Value

from tasks_app.models import choices
from tasks_app.models.pool import missing_pools
from tasks_app.validators import validate_key, validate_pools

MOST_AT_ONCE = 100_000
LONGEST_WINDOW = 86_400
"""Of a rate, in seconds."""


class Limited(models.Model):
    """The part of a task that says which of its runs have to wait for others."""

    LIMITS = ("overlap", "max_parallel", "max_queued", "mutex", "pools", "rate_count", "rate_seconds", "rate_key")

    Overlap = choices.Overlap

    overlap = models.CharField(
        max_length=10,
        choices=Overlap,
        default=Overlap.ALLOW,
        db_default=Overlap.ALLOW,
        help_text="While as many of its runs as max_parallel are active, another one runs all the same (allow), waits "
        "(queue), is skipped (skip), or takes the place of the oldest, which is cancelled (replace).",
    )
    max_parallel = models.PositiveIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="So many of its runs at once, unless overlap is allow.",
    )
    max_queued = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_AT_ONCE)],
        help_text="With overlap queue: at most so many wait, further ones are skipped. Empty: no limit.",
    )
    mutex = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[validate_key],
        help_text="Of all runs in the namespace with the same text only one is active at a time. {name} stands for a "
        "parameter of the run, as in deploy-{host}.",
    )
    pools = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        validators=[validate_pools],
        help_text="The pools a run takes slots of, and how many, as a JSON object: {“database”: 1}.",
    )
    rate_count = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="At most so many of its runs start in rate_seconds. Empty: no limit.",
    )
    rate_seconds = models.FloatField(
        default=1,
        db_default=1.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(LONGEST_WINDOW)],
        help_text="The window of rate_count, wherever it begins.",
    )
    rate_key = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[validate_key],
        help_text="Runs in the namespace with the same text and window are counted together; {name} stands for a "
        "parameter of the run. Empty: the runs of this task.",
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(overlap__in=["allow", "queue", "skip", "replace"]), name="%(class)s_overlap_known"
            ),
            models.CheckConstraint(condition=Q(max_parallel__gte=1), name="%(class)s_parallel_positive"),
            models.CheckConstraint(
                condition=Q(rate_count=None) | Q(rate_count__gte=1, rate_seconds__gt=0), name="%(class)s_rate_positive"
            ),
        ]

    @property
    def limits(self) -> tuple[Any, ...]:
        """All that decides which runs it has to wait for."""
        return tuple(getattr(self, name) for name in self.LIMITS)

    def check_limits(self, namespace: int | None) -> dict[str, str]:
        """What is wrong with fields that belong together, by field."""
        problems = {}
        if self.max_queued is not None and self.overlap != self.Overlap.QUEUE:
            problems["max_queued"] = "Only with overlap queue do runs wait; choose that, or leave this empty."
        if self.rate_key and not self.rate_count:
            problems["rate_key"] = "Say with rate_count how many may start."
        if isinstance(self.pools, dict) and (missing := missing_pools(self.pools, namespace)):
            problems["pools"] = f"There is no pool “{missing[0]}” that this namespace can use; make it first."
        return problems
