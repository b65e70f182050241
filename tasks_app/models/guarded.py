"""What keeps a task from being tried, or run, again and again in vain."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Value

from tasks_app.validators import validate_conditions, validate_key


class Guarded(models.Model):
    """The part of a task that says when it is not tried or run once more."""

    GUARDS = ("retry_on", "never_retry_on", "unique_key", "unique_seconds", "pause_after_failures")

    retry_on = models.JSONField(
        default=list,
        blank=True,
        db_default=Value([], models.JSONField()),
        validators=[validate_conditions],
        help_text="Try again only after these ends, as a JSON list: exit codes or HTTP statuses (75, “500-599”), "
        "“timeout”, “signal”, “SIGKILL”. Empty: after any.",
    )
    never_retry_on = models.JSONField(
        default=list,
        blank=True,
        db_default=Value([], models.JSONField()),
        validators=[validate_conditions],
        help_text="Never try again after these ends, written alike.",
    )
    unique_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1), MaxValueValidator(31_536_000)],
        help_text="For so long after a run has started, others with the same key are skipped. Empty: none is.",
    )
    unique_key = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[validate_key],
        help_text="With unique_seconds: runs in the namespace with the same text are the same; {name} stands for a "
        "parameter of the run. Empty: all runs of this task.",
    )
    pause_after_failures = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="After so many failed runs in a row the task pauses itself. Empty: never.",
    )

    class Meta:
        abstract = True

    def check_guards(self) -> dict[str, str]:
        """What is wrong with fields that belong together, by field."""
        if self.unique_key and not self.unique_seconds:
            return {"unique_key": "Say with unique_seconds for how long."}
        return {}
