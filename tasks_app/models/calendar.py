"""Which days and hours are closed, for many tasks."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from access_app.models import Namespace
from tasks_app import calendars
from tasks_app.calendars import CalendarError, Rules
from tasks_app.validators import validate_name

TEXT_LENGTH = 200_000
"""Characters of what is closed, and of what is open."""


class Calendar(models.Model):
    """Which days and hours are closed: for tasks that name it, or for all of a namespace."""

    class Kind(models.TextChoices):
        BLACKOUT = "blackout"
        INCLUSIVE = "inclusive"

    name = models.CharField(max_length=200, unique=True, validators=[validate_name])
    namespace = models.ForeignKey(
        Namespace,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="calendars",
        help_text="Only its tasks can use it. Empty: all can.",
    )
    description = models.TextField(blank=True, default="", max_length=10_000)
    kind = models.CharField(
        max_length=10,
        choices=Kind,
        default=Kind.BLACKOUT,
        help_text="blackout: open but for what is closed. inclusive: closed but for what is open.",
    )
    closed = models.TextField(
        blank=True,
        default="",
        max_length=TEXT_LENGTH,
        help_text="A line each: sat, sun; 12-25 Christmas Day; 2027-08-02/2027-08-20; 22:00-06:00; fri 12:00-24:00; "
        "2027-03-06T18:00/2027-03-07T04:00; holidays DE-BY. A name may follow.",
    )
    open = models.TextField(
        blank=True,
        default="",
        max_length=TEXT_LENGTH,
        help_text="In the same way. Of a blackout the exceptions: a Saturday on which people work.",
    )
    timezone = models.CharField(
        max_length=64, blank=True, default="", help_text="Whose days and hours are meant. Empty: the task's."
    )
    for_all = models.BooleanField(
        default=False,
        verbose_name="for all",
        help_text="It holds for all tasks of its namespace (of all namespaces, if it has none), as for maintenance.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["blackout", "inclusive"]), name="calendar_kind_known"),
            models.CheckConstraint(condition=~Q(name=""), name="calendar_has_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def rules(self) -> Rules:
        """What it says, as plain data."""
        return Rules(self.closed, self.open, self.kind, self.timezone)  # type: ignore[arg-type]

    def read(self) -> calendars.Calendar:
        """What it means; raises `CalendarError`."""
        return calendars.read(self.rules)

    def clean(self) -> None:
        """Raises `ValidationError` naming the field."""
        try:
            self.read()
        except CalendarError as error:
            raise ValidationError({error.field: error.message}) from None
