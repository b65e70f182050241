"""What fires nothing for a while, why, and until when."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform

from access_app.models import Namespace
from tasks_app.models.task import Task

DRAINING, HELD = 1, 2
"""`Task.hold` of what fires nothing, and of what starts nothing either; 0: it is free."""


class Pause(models.Model):
    """A pause of one task, or of all tasks of a namespace, with a label, or of a namespace with a label."""

    task = models.OneToOneField(Task, null=True, blank=True, on_delete=models.CASCADE, related_name="own_pause")
    namespace = models.ForeignKey(Namespace, null=True, blank=True, on_delete=models.CASCADE, related_name="pauses")
    label = models.CharField(max_length=200, blank=True, default="", help_text="As key=value.")
    reason = models.CharField(blank=True, default="", max_length=1000, help_text="For whoever wonders.")
    until = models.DateTimeField(null=True, blank=True, help_text="It ends by itself then. Empty: somebody ends it.")
    drain = models.BooleanField(
        default=False, help_text="Nothing new fires, but runs that there are may start. Otherwise they wait."
    )
    paused_at = models.DateTimeField(editable=False)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(task__isnull=False, namespace=None, label="")
                | Q(Q(namespace__isnull=False) | ~Q(label=""), task=None),
                name="pause_has_a_scope",
            ),
            models.UniqueConstraint(fields=["label"], condition=Q(task=None, namespace=None), name="pause_label_once"),
            models.UniqueConstraint(
                fields=["namespace", "label"], condition=Q(namespace__isnull=False), name="pause_namespace_once"
            ),
        ]
        indexes = [models.Index(fields=["until"], name="pause_ends", condition=Q(until__isnull=False))]

    def __str__(self) -> str:
        if self.task_id:
            return f"task {self.task}"
        parts = [f"namespace {self.namespace}"] if self.namespace_id else []
        return ", ".join([*parts, *([f"label {self.label}"] if self.label else [])])

    def clean(self) -> None:
        """Raises `ValidationError` naming the field."""
        if self.task_id is None and self.namespace_id is None and not self.label:
            raise ValidationError({"namespace": "Say what is paused: a namespace, a label, or both."})
        key, sign, value = self.label.partition("=")
        if self.label and not (key and sign and value):
            raise ValidationError({"label": "Write a label as key=value."})

    @property
    def hold(self) -> int:
        """What it makes of `Task.hold`."""
        return DRAINING if self.drain else HELD

    @property
    def covers(self) -> Q:
        """The tasks it holds for."""
        if self.task_id:
            return Q(pk=self.task_id)
        found = Q(namespace=self.namespace_id) if self.namespace_id else Q()
        if self.label:
            key, _, value = self.label.partition("=")
            labelled = Task.objects.alias(value=KeyTransform(key, "labels")).filter(value=value)
            found &= Q(pk__in=labelled)
        return found
