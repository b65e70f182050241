"""Things that there are only so many of, and what runs have taken of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce, Concat, Now

from access_app.models import Namespace
from tasks_app.validators import MOST_SLOTS, validate_name

POOL = "pool:"


class PoolQuerySet(models.QuerySet["Pool"]):
    def counted(self) -> PoolQuerySet:
        """Each with the slots that runs have `taken`."""
        permits = Permit.objects.filter(key=Concat(Value(POOL), Cast(OuterRef("pk"), models.CharField())))
        taken = permits.order_by().values("key").annotate(total=Sum("takes")).values("total")
        return self.annotate(taken=Coalesce(Subquery(taken), 0))


class Pool(models.Model):
    """So many slots, which the active runs of all tasks that name it share."""

    name = models.CharField(max_length=100, validators=[validate_name])
    namespace = models.ForeignKey(
        Namespace,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="pools",
        help_text="Whose tasks can use it. Empty: those of all namespaces.",
    )
    description = models.CharField(max_length=1000, blank=True, default="")
    slots = models.PositiveIntegerField(
        validators=[MaxValueValidator(MOST_SLOTS)],
        help_text="So many may be taken at a time; 0 lets nothing start.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = PoolQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["namespace", "name"],
                condition=Q(namespace__isnull=False),
                name="pool_name_unique",
                violation_error_message="A pool with this name exists already in the namespace.",
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(namespace=None),
                name="pool_shared_name_unique",
                violation_error_message="A pool with this name exists already for all namespaces.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Under which permits are given, and at which runs wait."""
        return f"{POOL}{self.pk}"

    def clean(self) -> None:
        """Raises `ValidationError` where tasks would lose it by another name or namespace."""
        before = Pool.objects.filter(pk=self.pk).first() if self.pk else None
        changed = [name for name in ("name", "namespace_id") if before and getattr(before, name) != getattr(self, name)]
        if before and changed and (used := before.used_by()):
            raise ValidationError({changed[0].removesuffix("_id"): f"{used} Make another one for them first."})

    def used_by(self) -> str:
        """A sentence that names tasks which take slots of it; empty: there are none."""
        names = list(self.users().order_by("name").values_list("name", flat=True)[:5])
        return f"Tasks use the pool: {', '.join(names)}." if names else ""

    def users(self) -> QuerySet[Any]:
        """The tasks that take slots of it."""
        tasks = apps.get_model("tasks_app", "Task").objects.filter(pools__has_key=self.name, deleted_at=None)
        if self.namespace_id:
            return tasks.filter(namespace=self.namespace_id)
        own = Pool.objects.filter(name=self.name, namespace__isnull=False)
        return tasks.exclude(namespace__in=own.values("namespace"))


def missing_pools(names: Iterable[str], namespace: int | None) -> list[str]:
    """Those of `names` that tasks of the namespace cannot use, as there are none."""
    wanted = sorted(names)
    if not wanted:
        return []
    usable = Pool.objects.filter(Q(namespace=None) | Q(namespace=namespace), name__in=wanted)
    known = set(usable.values_list("name", flat=True))
    return [name for name in wanted if name not in known]


class Permit(models.Model):
    """What a run has taken of something counted: of a pool, a mutex, its task's parallel runs, a rate.

    What is taken of a key is the sum over its permits. One ends with the attempt it names; without an attempt, with
    the run; one of a rate at its time, whatever becomes of the run.
    """

    key = models.CharField(max_length=300)
    run_id = models.UUIDField()
    attempt = models.PositiveIntegerField(null=True)
    takes = models.PositiveIntegerField()
    given_at = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["key"], name="permit_by_key"),
            models.Index(fields=["until"], name="permit_ends", condition=Q(until__isnull=False)),
            models.Index(fields=["run_id"], name="permit_of_run", condition=Q(until=None)),
        ]

    def __str__(self) -> str:
        return f"{self.key} for {self.run_id}"
