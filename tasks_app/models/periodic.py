"""What we must know of django-celery-beat's rows to fire each once."""

from __future__ import annotations

from django.db import models
from uuid_utils.compat import uuid7


class PeriodicCheck(models.Model):
    """When a periodic task is to be looked at. Who holds the row decides alone.

    No foreign key: its rows are other people's, to be edited and deleted at any time without waiting for us.
    """

    periodic_task = models.IntegerField(primary_key=True)
    check_at = models.DateTimeField(null=True, help_text="Null: not before it is edited.")
    seen = models.TextField(help_text="What it was planned by.")
    fired_at = models.DateTimeField(null=True, help_text="An edit may set its own `last_run_at` back.")

    class Meta:
        indexes = [models.Index(fields=["check_at"], name="periodic_check_due")]

    def __str__(self) -> str:
        return f"{self.periodic_task}: {self.check_at}"


class PeriodicMessage(models.Model):
    """What is decided and not sent yet; the primary key is the id of the Celery task."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    body = models.TextField(help_text="kombu's JSON.")

    def __str__(self) -> str:
        return str(self.pk)
