"""`/api/v1/backfills/`."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import actions
from tasks_app.api.backfill_serializers import BackfillDetailSerializer, BackfillSerializer
from tasks_app.api.filters import BackfillFilter
from tasks_app.api.parsing import JSONBody
from tasks_app.clock import database_now
from tasks_app.models import Backfill


@extend_schema_view(
    list=extend_schema(description="Backfills, newest first."),
    retrieve=extend_schema(description="One backfill, with how many of its runs are in which state."),
)
class BackfillViewSet(JSONBody, viewsets.ReadOnlyModelViewSet[Backfill]):
    """Backfills: nominal times that have gone by and are made up for. `POST tasks/{id}/backfill/` starts one."""

    filterset_class = BackfillFilter
    queryset = Backfill.objects.select_related("task").defer("times").order_by("-id")
    action_perms = {"cancel": "tasks_app.change_backfill"}

    def get_serializer_class(self) -> type[BackfillSerializer]:
        return BackfillSerializer if self.action == "list" else BackfillDetailSerializer

    @extend_schema(request=None, responses=BackfillDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Make no further runs, and cancel those that are open."""
        actions.cancel_backfill(self.get_object(), database_now())
        return Response(self.get_serializer(self.get_object()).data)
