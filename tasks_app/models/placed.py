"""Which workers may carry out a task, and how one of them is chosen."""

from __future__ import annotations

import json

from django.db import models
from django.db.models import Value

from tasks_app.validators import validate_label_map
from workers_app.balance import strategies


def strategy_choices() -> list[tuple[str, str]]:
    """Those of installed packages too."""
    return [(name, name) for name in strategies()]


class Placed(models.Model):
    """The part of a task that says where it runs."""

    worker_labels = models.JSONField(
        default=dict, blank=True, validators=[validate_label_map], help_text="Only workers with all these labels."
    )
    excluded_labels = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        validators=[validate_label_map],
        help_text="No worker with any of these labels.",
    )
    preferred_labels = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        validators=[validate_label_map],
        help_text="Rather a worker with more of these labels, while one has a free slot.",
    )
    strategy = models.CharField(
        max_length=30,
        default="least_loaded",
        choices=strategy_choices,
        help_text="How a worker is chosen among those that may run it.",
    )

    class Meta:
        abstract = True

    def placement_in(self, namespace: int | None, executor: str) -> str:
        """What a worker must offer, as a canonical text: runs with the same text may go to the same workers."""
        wanted, unwanted = sorted(self.worker_labels.items()), sorted(self.excluded_labels.items())
        return json.dumps([namespace, executor, wanted, unwanted], separators=(",", ":"))
