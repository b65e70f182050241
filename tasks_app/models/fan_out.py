"""A run that is carried out as many runs, one for each item of a list."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

MOST_ITEMS = 50_000


class FanOut(models.Model):
    """The items of a run, and how far they are. The run itself is done by the dispatchers, and ends with the last."""

    run = models.OneToOneField("tasks_app.TaskRun", on_delete=models.CASCADE, primary_key=True, related_name="spread")
    items = models.JSONField(help_text="The parameters that each item adds to those of the run.")
    total = models.PositiveIntegerField()
    position = models.PositiveIntegerField(default=0, help_text="Runs made so far.")
    parallel = models.PositiveIntegerField(null=True, help_text="At most so many at once. Null: all.")
    broadcast = models.BooleanField(default=False, help_text="Each item is meant for one worker.")
    completed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["run"], name="fan_out_open", condition=Q(completed_at=None))]

    def __str__(self) -> str:
        return f"{self.position} of {self.total}"
