"""JSON ↔ backfills."""

from typing import Any

from rest_framework import serializers

from tasks_app.api.fields import ChoiceField
from tasks_app.api.serializers import StrictMixin
from tasks_app.models import Backfill


class BackfillWishSerializer(StrictMixin, serializers.ModelSerializer[Backfill]):
    """Which nominal times are to be made up for."""

    serializer_choice_field = ChoiceField
    dry_run = serializers.BooleanField(default=False, help_text="True: only list them; nothing is made.")

    class Meta:
        model = Backfill
        fields = ["since", "until", "which", "order", "parallel", "dry_run"]


class BackfillSerializer(serializers.ModelSerializer[Backfill]):
    """Nominal times that are made up for, one after the other."""

    task_name = serializers.CharField(source="task.name")
    left = serializers.IntegerField(help_text="So many nominal times have no run yet.")

    class Meta:
        model = Backfill
        fields = [
            "id", "task", "task_name", "since", "until", "which", "order", "parallel", "status", "total", "left",
            "created_at", "completed_at",
        ]  # fmt: skip
        read_only_fields = fields


class BackfillDetailSerializer(BackfillSerializer):
    """A backfill with how far its runs are."""

    runs = serializers.DictField(source="counts", child=serializers.IntegerField(), help_text="How many, by status.")

    class Meta(BackfillSerializer.Meta):
        fields = [*BackfillSerializer.Meta.fields, "runs"]
        read_only_fields = fields


class DryRunSerializer(serializers.Serializer[Any]):
    """What a backfill would make up for."""

    total = serializers.IntegerField()
    times = serializers.ListField(child=serializers.DateTimeField(), help_text="Nominal times, in their order.")
