"""`/api/v1/circuits/`."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import actions
from tasks_app.api.filters import CircuitFilter
from tasks_app.api.parsing import JSONBody
from tasks_app.api.serializers import CircuitSerializer
from tasks_app.clock import database_now
from tasks_app.models import Circuit


@extend_schema_view(
    list=extend_schema(description="Circuits of targets that have failed lately, newest first."),
    retrieve=extend_schema(description="One circuit."),
)
class CircuitViewSet(JSONBody, viewsets.ReadOnlyModelViewSet[Circuit]):
    """Circuits of what has failed lately: a host that tasks call, a task, a worker."""

    serializer_class = CircuitSerializer
    queryset = Circuit.objects.order_by("-id")
    filterset_class = CircuitFilter
    action_perms = {"reset": "tasks_app.change_circuit"}

    @extend_schema(request=None, responses=CircuitSerializer)
    @action(detail=True, methods=["post"])
    def reset(self, request: Request, pk: str) -> Response:
        """Close the circuit; what it held up may start."""
        actions.reset_circuit(self.get_object(), database_now())
        return Response(self.get_serializer(self.get_object()).data)
