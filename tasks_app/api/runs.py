"""`/api/v1/runs/`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections, connections
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import actions, outages
from tasks_app.api.explanations import ExplanationSerializer
from tasks_app.api.filters import RunFilter
from tasks_app.api.parsing import JSONBody, StrictJSONParser
from tasks_app.api.serializers import (
    BulkAnswerSerializer,
    BulkSerializer,
    BulkTriggerSerializer,
    LogSerializer,
    LogsSerializer,
    RunDetailSerializer,
    RunSerializer,
    represent,
)
from tasks_app.clock import database_now
from tasks_app.explaining import explain
from tasks_app.models import FINAL, RunLog, Task, TaskRun

MOST = 1000
"""Triggers in one request."""
LOG_PIECES = 500
STREAM_SECONDS = 0.25
LARGE = ("task__command", "task__config", "task__description")
"""What a list of runs has no use for."""
LAST_POSITION = 2**63 - 1
AFTER = OpenApiParameter("after", int, description="Only output behind this position: the `next` of an answer.")


class EventStreamRenderer(BaseRenderer):
    """Lets a client ask for `text/event-stream`; the response streams by itself."""

    media_type = "text/event-stream"
    format = "event-stream"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return msgspec.json.encode(data)


@extend_schema_view(
    list=extend_schema(description="Runs, newest first. Follow `next` for older ones."),
    retrieve=extend_schema(description="One run, with those of its attempts that did not end it well."),
)
class RunViewSet(JSONBody, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[TaskRun]):
    """Runs: what was meant to run, and what became of it."""

    queryset = TaskRun.objects.select_related("task", "worker").defer(*LARGE).order_by("-id")
    parser_classes = [StrictJSONParser]  # bulk takes a list, too
    filterset_class = RunFilter
    lookup_value_regex = "[0-9a-fA-F-]{32,36}"
    action_perms = {
        "bulk": "tasks_app.add_taskrun",
        "cancel": "tasks_app.change_taskrun",
        "retry": "tasks_app.add_taskrun",
        "explain": "tasks_app.view_taskrun",
        "logs": "tasks_app.view_runlog",
        "stream": "tasks_app.view_runlog",
    }

    def get_queryset(self) -> QuerySet[TaskRun]:
        runs = super().get_queryset()
        return runs.prefetch_related("attempts__worker") if self.action == "retrieve" else runs

    def get_serializer_class(self) -> type[RunSerializer]:
        return RunDetailSerializer if self.action == "retrieve" else RunSerializer

    @extend_schema(request=BulkSerializer, responses={202: BulkAnswerSerializer})
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def bulk(self, request: Request) -> Response:
        """Trigger up to 1,000 runs at once, all or none."""
        items = request.data.get("runs") if isinstance(request.data, dict) else request.data
        if not isinstance(items, list) or not 0 < len(items) <= MOST:
            raise serializers.ValidationError({"runs": [f"Send a list of 1 to {MOST:,} triggers."]})
        runs = actions.trigger(_triggers(items), database_now(), request.user)
        return Response({"runs": RunSerializer(runs, many=True).data}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End the run: at once if it is pending, else as soon as its worker has ended it."""
        run = self.get_object()
        if run.status in FINAL:
            raise actions.NotPossible(f"The run has ended already: it is {run.status}.")
        actions.cancel([run], database_now())
        return Response(represent(RunSerializer, self.get_object()), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run it once more, as a new run that points at this one."""
        again = actions.retry(self.get_object(), database_now(), request.user)
        return Response(represent(RunSerializer, again), status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=ExplanationSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def explain(self, request: Request, pk: str) -> Response:
        """Why it is not running: every gate in order, with its value, since when, and what would open it."""
        run = TaskRun.objects.select_related("task__calendar", "worker", "flow").get(pk=self.get_object().pk)
        return Response(ExplanationSerializer(explain(run, database_now())).data)

    @extend_schema(parameters=[AFTER], responses=LogsSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def logs(self, request: Request, pk: str) -> Response:
        """Output behind the position `after`, at most 500 pieces; `next` is the `after` of the next call."""
        run = self.get_object()
        after = _after(request)
        pieces = list(RunLog.objects.filter(run=run, position__gt=after).order_by("position")[:LOG_PIECES])
        ended = run.status in FINAL and len(pieces) < LOG_PIECES
        following = pieces[-1].position if pieces else after
        return Response({"logs": LogSerializer(pieces, many=True).data, "next": following, "ended": ended})

    @extend_schema(parameters=[AFTER], responses={(200, "text/event-stream"): str})
    @action(detail=True, url_path="logs/stream", renderer_classes=[EventStreamRenderer])
    def stream(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Output as it comes, as server-sent events `log`, and `end` with the run's status at last."""
        run = self.get_object()
        response = StreamingHttpResponse(_events(run.pk, _after(request)), content_type="text/event-stream")
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
        return response


def _triggers(items: list[Any]) -> list[actions.Trigger]:
    """The wishes in a request, or an error that names each bad one."""
    wishes = BulkTriggerSerializer(data=items, many=True)
    if not wishes.is_valid():
        raise serializers.ValidationError({"runs": wishes.errors})
    ids = {wish["task"] for wish in wishes.validated_data}
    tasks = Task.objects.filter(deleted_at=None).in_bulk(list(ids))
    if ids - tasks.keys():
        bad = [(i, wish["task"]) for i, wish in enumerate(wishes.validated_data) if wish["task"] not in tasks]
        raise serializers.ValidationError({"runs": {str(i): {"task": [f"There is no task {pk}."]} for i, pk in bad}})
    return [actions.Trigger(**(wish | {"task": tasks[wish["task"]]})) for wish in wishes.validated_data]


def _after(request: Request) -> int:
    """Where to go on: `?after=`, or the header a browser sends when it reconnects."""
    value = request.query_params.get("after") or request.headers.get("Last-Event-ID") or "-1"
    try:
        return max(-1, min(int(value), LAST_POSITION))
    except ValueError:
        raise serializers.ValidationError({"after": ["Send the whole number `next` of an answer."]}) from None


async def _events(run: UUID, after: int) -> AsyncIterator[bytes]:
    """Server-sent events until the run has ended; the status is read first, so that no last line is missed.

    Where the database is away the stream ends without `end`: a browser then asks again, from where it was.
    """
    await sync_to_async(connections.close_all)()  # this request's thread has nothing more to ask, however long it lasts
    while True:
        try:
            status, pieces = await sync_to_async(_news, thread_sensitive=False)(run, after)
        except Error as error:
            if outages.explain(error):
                return
            raise
        if status is None:
            return  # removed by retention
        for piece in pieces:
            after = piece.position
            data = {"position": after, "attempt": piece.attempt, "text": piece.text}
            yield _event("log", data, after)
        if status in FINAL and len(pieces) < LOG_PIECES:
            yield _event("end", {"status": status}, after)
            return
        if not pieces:
            yield b": waiting\n\n"
        await asyncio.sleep(STREAM_SECONDS)


def _news(run: UUID, after: int) -> tuple[str | None, list[RunLog]]:
    """Status and new output, asked on one of a few threads that all streams share."""
    try:
        status = TaskRun.objects.filter(pk=run).values_list("status", flat=True).first()
        return status, list(RunLog.objects.filter(run=run, position__gt=after).order_by("position")[:LOG_PIECES])
    finally:
        close_old_connections()  # no request's end does it there; the next one to need the connection is another


def _event(name: str, data: dict[str, Any], position: int) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), position, msgspec.json.encode(data))
