"""What the dispatcher knows of its workers."""

from datetime import datetime

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now


class WorkerInfo(models.Model):
    """One incarnation (boot) of a worker process. A restarted worker is a new row under the same name."""

    class Status(models.TextChoices):
        ONLINE = "online"
        BUSY = "busy"
        DRAINING = "draining"
        OFFLINE = "offline"

    boot_id = models.UUIDField(unique=True, editable=False)
    name = models.CharField(max_length=200)
    hostname = models.CharField(max_length=255, blank=True, default="")
    pid = models.PositiveIntegerField(null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ONLINE)
    draining = models.BooleanField(default=False, help_text="Takes no new runs; what runs may end.")
    gave_up = models.BooleanField(
        default=False, db_default=False, help_text="Its lease ended; the process ended what it ran and began anew."
    )
    superseded = models.BooleanField(default=False, help_text="A later incarnation of the same name has come up.")
    labels = models.JSONField(default=dict, blank=True)
    executors = models.JSONField(default=list)
    namespaces = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), help_text="Whose runs it takes. Empty: those of all."
    )
    max_tasks = models.PositiveIntegerField()
    current_tasks = models.PositiveIntegerField(default=0)
    cpu_percent = models.FloatField(
        "CPU percent", null=True, help_text="How much of its machine's processors is in use."
    )
    memory_percent = models.FloatField(null=True, help_text="How much of its machine's memory is in use.")
    heartbeat_seq = models.PositiveBigIntegerField(default=0)
    last_heartbeat = models.DateTimeField()
    lease_until = models.DateTimeField(help_text="Until then its runs are surely its own.")
    last_assigned_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "worker"
        ordering = ["name", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["online", "busy", "draining", "offline"]), name="worker_status_known"
            ),
            models.CheckConstraint(condition=models.Q(max_tasks__gt=0), name="worker_has_slots"),
        ]
        indexes = [
            models.Index(fields=["lease_until"], name="worker_alive", condition=~models.Q(status="offline")),
            models.Index(fields=["name"], name="worker_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def drain(self) -> bool:
        """Give it no new runs until `undrain`; False where it is gone already."""
        return self._set_draining(True, self.Status.DRAINING)

    def undrain(self) -> bool:
        """Let it take runs again; False where it is gone already."""
        return self._set_draining(False, self.Status.ONLINE)

    def _set_draining(self, draining: bool, status: str) -> bool:
        alive = WorkerInfo.objects.filter(pk=self.pk).exclude(status=self.Status.OFFLINE)
        moved = alive.update(draining=draining, status=status) > 0
        self.refresh_from_db()
        return moved

    def lease_ended(self, now: datetime) -> bool:
        return self.status == self.Status.OFFLINE or self.lease_until < now
