"""`/api/v1/flows/`."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import flow_actions, flows
from tasks_app.api.filters import FlowFilter
from tasks_app.api.parsing import JSONBody
from tasks_app.api.serializers import StrictMixin
from tasks_app.clock import database_now
from tasks_app.models import FlowRun


class FlowSerializer(serializers.ModelSerializer[FlowRun]):
    """One pass through a task and all that depends on it."""

    task_name = serializers.CharField(source="task.name")

    class Meta:
        model = FlowRun
        fields = [
            "id", "task", "task_name", "status", "reason", "params", "scheduled_for", "deadline", "retry_of",
            "created_at", "completed_at",
        ]  # fmt: skip
        read_only_fields = fields


class StepSerializer(serializers.Serializer[Any]):
    """A task in a flow."""

    name = serializers.CharField(help_text="Of the task, when the flow began.")
    task = serializers.IntegerField(help_text="The task's id.")
    rule = serializers.CharField(help_text="Which parents must end how before it runs.")
    parents = serializers.ListField(child=serializers.CharField(), help_text="The names of the steps it waits for.")
    run = serializers.UUIDField(allow_null=True, help_text="In this flow, or in the one that it went on from.")
    status = serializers.CharField(help_text="Of the run.")
    reason = serializers.CharField()
    error = serializers.CharField()
    taken_over = serializers.BooleanField(help_text="An earlier flow has done it.")


class FlowDetailSerializer(FlowSerializer):
    """A flow with its steps, parents first."""

    steps = serializers.SerializerMethodField()

    class Meta(FlowSerializer.Meta):
        fields = [*FlowSerializer.Meta.fields, "steps"]
        read_only_fields = fields

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, flow: FlowRun) -> list[dict[str, Any]]:
        return flows.steps_of(flow)


class FlowRetrySerializer(StrictMixin, serializers.Serializer[Any]):
    """From where a flow shall be done again."""

    steps = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        default=list,
        help_text="Names of steps, which are done again with all that depends on them. Left out: those that failed, "
        "were cancelled or skipped.",
    )


@extend_schema_view(
    list=extend_schema(description="Flows, newest first."),
    retrieve=extend_schema(description="One flow with its steps."),
)
class FlowViewSet(JSONBody, viewsets.ReadOnlyModelViewSet[FlowRun]):
    """Flows: passes through a task and all that depends on it."""

    filterset_class = FlowFilter
    queryset = FlowRun.objects.select_related("task").order_by("-id")
    action_perms = {"cancel": "tasks_app.change_flowrun", "retry": "tasks_app.add_flowrun"}

    def get_serializer_class(self) -> type[FlowSerializer]:
        return FlowSerializer if self.action == "list" else FlowDetailSerializer

    @extend_schema(request=None, responses=FlowDetailSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel all runs of the flow that are open."""
        flow = self.get_object()
        flow_actions.cancel(flow, database_now())
        return Response(self.get_serializer(flow).data)

    @extend_schema(request=FlowRetrySerializer, responses={201: FlowDetailSerializer})
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def retry(self, request: Request, pk: str) -> Response:
        """Do the flow again from where it failed, or from the steps that are named; answers with the new flow."""
        flow = self.get_object()
        wish = FlowRetrySerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        made = flow_actions.retry(flow, database_now(), request.user, steps=wish.validated_data["steps"])
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)
