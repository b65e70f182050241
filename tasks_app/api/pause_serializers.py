"""JSON ↔ pauses."""

from typing import Any

from rest_framework import serializers

from access_app.models import Namespace
from tasks_app.api.fields import named_field
from tasks_app.api.serializers import StrictMixin, TaskSerializer
from tasks_app.models import Pause


class PauseWishSerializer(StrictMixin, serializers.ModelSerializer[Pause]):
    """Why a task is paused, and until when; all of it may be left out."""

    serializer_field_mapping = TaskSerializer.serializer_field_mapping

    class Meta:
        model = Pause
        fields = ["reason", "until", "drain"]


class PauseSerializer(StrictMixin, serializers.ModelSerializer[Pause]):
    """What is paused, by whom, why, and until when."""

    serializer_field_mapping = TaskSerializer.serializer_field_mapping
    namespace = named_field(Namespace, "All of its tasks, or those with the label.", allow_null=True)
    paused_by = serializers.CharField(source="paused_by.username", read_only=True, default=None)

    class Meta:
        model = Pause
        fields = ["id", "task", "namespace", "label", "reason", "until", "drain", "paused_at", "paused_by"]
        read_only_fields = ["task", "paused_at"]
        validators: list[Any] = []
