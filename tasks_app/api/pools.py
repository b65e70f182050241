"""`/api/v1/pools/`."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from access_app.models import Namespace
from tasks_app import pool_actions
from tasks_app.api.fields import named_field
from tasks_app.api.filters import PoolFilter
from tasks_app.api.locking import LockingViewSet
from tasks_app.api.serializers import ModelRules, StrictMixin, TaskSerializer
from tasks_app.clock import database_now
from tasks_app.models import Pool


class PoolSerializer(StrictMixin, ModelRules):
    """So many slots, which active runs share."""

    serializer_field_mapping = TaskSerializer.serializer_field_mapping
    namespace = named_field(Namespace, "The namespace whose tasks can use it; null: all can.", allow_null=True)
    taken = serializers.IntegerField(read_only=True, default=0, help_text="Slots that runs have taken.")

    class Meta:
        model = Pool
        fields = ["id", "name", "namespace", "description", "slots", "taken", "created_at"]
        read_only_fields = ["created_at"]
        extra_kwargs = {"name": {"trim_whitespace": False}}
        validators: list[Any] = []


@extend_schema_view(
    list=extend_schema(description="Pools, newest first."),
    create=extend_schema(description="Say that there is only so much of something; tasks name it in `pools`."),
    retrieve=extend_schema(description="One pool."),
    update=extend_schema(description="Edit the pool. Optional fields that are left out keep their value."),
    partial_update=extend_schema(description="Edit the pool; it holds at once. Fields left out keep their value."),
    destroy=extend_schema(description="Take the pool away, which no task may use."),
)
class PoolViewSet(LockingViewSet):
    """Pools: things that there are only so many of."""

    serializer_class = PoolSerializer
    filterset_class = PoolFilter
    queryset = Pool.objects.counted().select_related("namespace").order_by("-id")

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = Pool(**serializer.validated_data)
        pool_actions.save(serializer.instance, database_now())

    def perform_update(self, serializer: Any) -> None:
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        pool_actions.save(serializer.instance, database_now())

    def perform_destroy(self, instance: Pool) -> None:
        pool_actions.delete(instance)
