"""`/api/v1/workers/`."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.actions import NotPossible
from tasks_app.api.filters import WorkerFilter
from tasks_app.api.parsing import JSONBody
from tasks_app.api.serializers import WorkerSerializer
from tasks_app.models import set_aside_until
from workers_app import registry
from workers_app.models import WorkerInfo


@extend_schema_view(
    list=extend_schema(description="Workers that are alive, and the last incarnation of those that are gone."),
    retrieve=extend_schema(description="One worker."),
)
class WorkerViewSet(JSONBody, viewsets.ReadOnlyModelViewSet[WorkerInfo]):
    """Workers that are alive, and the last incarnation of those that are gone."""

    serializer_class = WorkerSerializer
    queryset = WorkerInfo.objects.none()
    filterset_class = WorkerFilter
    action_perms = {"drain": "workers_app.change_workerinfo", "undrain": "workers_app.change_workerinfo"}

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return registry.listed().annotate(set_aside_until=set_aside_until()).order_by("-id")

    @extend_schema(request=None, responses=WorkerSerializer)
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, pk: str) -> Response:
        """Give the worker no new runs; what runs may end."""
        return self._changed(self.get_object(), WorkerInfo.drain)

    @extend_schema(request=None, responses=WorkerSerializer)
    @action(detail=True, methods=["post"])
    def undrain(self, request: Request, pk: str) -> Response:
        """Let the worker take runs again."""
        return self._changed(self.get_object(), WorkerInfo.undrain)

    def _changed(self, worker: WorkerInfo, change) -> Response:  # type: ignore[no-untyped-def]
        if not change(worker):
            raise NotPossible("The worker is offline. It starts anew without this mark.")
        return Response(self.get_serializer(worker).data)
