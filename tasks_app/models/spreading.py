"""Whether a run of a task is carried out as many."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from tasks_app import expressions
from tasks_app.models.fan_out import MOST_ITEMS

BROADCAST = "sharding_broadcast"
"""The strategy by which each worker that may carry out a run gets a part of it."""
FAN_OUT_NAMES = {"params"}


def validate_fan_out(value: str) -> None:
    """An expression on the run's parameters that makes a list, such as params.hosts."""
    try:
        expressions.check(value, FAN_OUT_NAMES)
    except expressions.ExpressionError as error:
        raise ValidationError(str(error)) from None


class Spreading(models.Model):
    """The part of a task that says over what its runs fan out."""

    FAN_OUT = ("fan_out", "fan_out_parallel")

    fan_out = models.CharField(
        max_length=expressions.LONGEST,
        blank=True,
        default="",
        db_default="",
        validators=[validate_fan_out],
        help_text="An expression on its parameters that makes a list, such as params.hosts: each run is carried out "
        "as many, one for each item, which gets it as the parameter item. Empty: as one.",
    )
    fan_out_parallel = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_ITEMS)],
        help_text="So many items of a run at once. Empty: all.",
    )

    class Meta:
        abstract = True

    strategy: str

    @property
    def fans_out(self) -> bool:
        """Its runs are carried out as many."""
        return bool(self.fan_out) or self.strategy == BROADCAST

    def check_spreading(self) -> dict[str, str]:
        """What is wrong with fields that belong together, by field."""
        if self.fan_out and self.strategy == BROADCAST:
            return {"fan_out": "With sharding_broadcast each worker gets a part; choose another strategy, or no list."}
        if self.fan_out_parallel and not self.fans_out:
            return {"fan_out_parallel": "Say with fan_out over what."}
        return {}
