"""`/api/v1/pauses/`."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import actions
from tasks_app.api.filters import PauseFilter
from tasks_app.api.parsing import JSONBody
from tasks_app.api.pause_serializers import PauseSerializer
from tasks_app.clock import database_now
from tasks_app.models import Pause


@extend_schema_view(
    list=extend_schema(description="What is paused, newest first: tasks, namespaces, labels."),
    retrieve=extend_schema(description="One pause."),
    create=extend_schema(description="Pause all tasks of a namespace, or with a label. Again: it is replaced."),
)
class PauseViewSet(
    JSONBody,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Pause],
):
    """Pauses. One of a single task is made by `POST tasks/{id}/pause/`."""

    serializer_class = PauseSerializer
    filterset_class = PauseFilter
    queryset = Pause.objects.select_related("namespace", "task", "paused_by").order_by("-id")

    def perform_create(self, serializer: Any) -> None:
        wish = Pause(**serializer.validated_data, paused_by=self.request.user)  # type: ignore[misc]
        serializer.instance = actions.pause_many(wish, database_now())

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Resume: what went by meanwhile runs as each task's `after_resume` says."""
        return super().destroy(request, *args, **kwargs)

    def perform_destroy(self, instance: Pause) -> None:
        actions.end_pause(instance, database_now())
