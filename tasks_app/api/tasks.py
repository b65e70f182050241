"""`/api/v1/tasks/` and `/api/v1/schedules/preview/`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks_app import actions, closing, schedule
from tasks_app.api.backfill_serializers import BackfillDetailSerializer, BackfillWishSerializer, DryRunSerializer
from tasks_app.api.explanations import TimeExplanationSerializer, TimeQuery
from tasks_app.api.filters import TaskFilter
from tasks_app.api.locking import LockingViewSet
from tasks_app.api.parsing import JSONBody
from tasks_app.api.pause_serializers import PauseWishSerializer
from tasks_app.api.serializers import (
    KEY_LENGTH,
    FatesQuery,
    FatesSerializer,
    FiresSerializer,
    NextFiresQuery,
    PreviewAnswerSerializer,
    PreviewSerializer,
    RunSerializer,
    TaskSerializer,
    TriggerSerializer,
    represent,
)
from tasks_app.backfilling import chosen
from tasks_app.clock import database_now
from tasks_app.expected import fates
from tasks_app.explaining import explain_time
from tasks_app.models import Backfill, Task

KEY_HEADER = "Idempotency-Key"
FOLLOWED = ("leads", "feeds", "flow_timeout_seconds")
# What a trigger needs of a task, the time, and no more: this is the busiest of all requests.
TRIGGERED = (
    Task.objects.filter(deleted_at=None)
    .only("name", "namespace", "executor", "priority", "worker_labels", "excluded_labels", *FOLLOWED)
    .annotate(now=Now())
)
ALL = Task.objects.filter(deleted_at=None).select_related("namespace", "calendar", "own_pause__paused_by")
ALL = ALL.prefetch_related("dependencies__parent")
DAY, EARLIEST = timedelta(days=1), datetime.min.replace(tzinfo=UTC)


@extend_schema_view(
    list=extend_schema(description="Tasks, newest first. Follow `next` for older ones."),
    create=extend_schema(description="Define a task. With a schedule it fires from now on, unless it is paused."),
    retrieve=extend_schema(description="One task."),
    update=extend_schema(description="Edit the task. Optional fields that are left out keep their value."),
    partial_update=extend_schema(description="Edit the task. Fields that are left out keep their value."),
    destroy=extend_schema(
        description="Take the task away: it fires no more, its open runs are cancelled, its history stays."
    ),
)
class TaskViewSet(LockingViewSet):
    """Tasks: definitions of what should run."""

    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    queryset = ALL.order_by("-id")
    changing = ("pause", "resume", "take_over")
    action_perms = {
        "run": "tasks_app.add_taskrun",
        "backfill": "tasks_app.add_backfill",
        "pause": "tasks_app.change_task",
        "resume": "tasks_app.change_task",
        "take_over": "tasks_app.change_task",
        "next_fires": "tasks_app.view_task",
        "fires": "tasks_app.view_task",
        "explain": "tasks_app.view_task",
    }

    def get_queryset(self) -> QuerySet[Task]:
        return TRIGGERED.all() if self.action == "run" else super().get_queryset()

    def perform_create(self, serializer: Any) -> None:
        parents = serializer.validated_data.pop("depends_on", [])
        serializer.instance = Task(**serializer.validated_data)
        serializer.instance.depends_on = parents
        actions.save(serializer.instance, database_now())

    def perform_update(self, serializer: Any) -> None:
        actions.check_free(serializer.instance)
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        actions.save(serializer.instance, database_now())

    def perform_destroy(self, instance: Task) -> None:
        actions.check_free(instance)
        actions.delete(instance, database_now())

    @extend_schema(
        request=TriggerSerializer,
        responses={202: RunSerializer},
        parameters=[OpenApiParameter(KEY_HEADER, str, OpenApiParameter.HEADER, description="Repeats make no new run.")],
    )
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Trigger the task; answers with the run that was made (or made earlier under the same key)."""
        task = self.get_object()
        wish = TriggerSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        key = request.headers.get(KEY_HEADER)
        if key and len(key) > KEY_LENGTH:
            raise serializers.ValidationError({KEY_HEADER: [f"At most {KEY_LENGTH} characters."]})
        trigger = actions.Trigger(task, idempotency_key=key, **wish.validated_data)
        (run,) = actions.trigger([trigger], task.now, request.user)
        return Response(represent(RunSerializer, run), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=PauseWishSerializer, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def pause(self, request: Request, pk: str) -> Response:
        """Fire and start nothing until it is resumed; with `drain`, start what there is."""
        task = self.get_object()
        wish = PauseWishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        actions.pause(task, database_now(), request.user, **wish.validated_data)
        return Response(self.get_serializer(task).data)

    @extend_schema(request=None, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def resume(self, request: Request, pk: str) -> Response:
        """Fire again, from now on."""
        task = self.get_object()
        actions.resume(task, database_now())
        return Response(self.get_serializer(task).data)

    @extend_schema(request=None, responses=TaskSerializer)
    @action(detail=True, methods=["post"], url_path="take-over")
    @transaction.atomic
    def take_over(self, request: Request, pk: str) -> Response:
        """From now on people say what the task is, and no longer the file that made it (`managed_by`)."""
        task = self.get_object()
        actions.take_over(task, database_now())
        return Response(self.get_serializer(task).data)

    @extend_schema(
        request=BackfillWishSerializer,
        responses={201: BackfillDetailSerializer, 200: OpenApiResponse(DryRunSerializer, "With `dry_run`.")},
    )
    @action(detail=True, methods=["post"])
    def backfill(self, request: Request, pk: str) -> Response:
        """Make up for nominal times that have gone by, also for those before there was this task."""
        task = self.get_object()
        wish = BackfillWishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        only_list = wish.validated_data.pop("dry_run")
        row = Backfill(task=task, **wish.validated_data)
        if only_list:
            times = chosen(task, row, database_now())
            return Response(DryRunSerializer({"total": len(times), "times": times}).data)
        actions.backfill(row, database_now(), request.user)
        return Response(BackfillDetailSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(parameters=[NextFiresQuery], responses=FiresSerializer)
    @action(detail=True, url_path="next-fires", pagination_class=None, filterset_class=None)
    def next_fires(self, request: Request, pk: str) -> Response:
        """When the schedule fires next."""
        task = self.get_object()
        query = NextFiresQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response({"fires": _fires(task, **query.validated_data)})

    @extend_schema(parameters=[FatesQuery], responses=FatesSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def fires(self, request: Request, pk: str) -> Response:
        """Expected against actual: each nominal time in a span, and what became of it."""
        task = self.get_object()
        query = FatesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        now, count = database_now(), query.validated_data["count"]
        until = query.validated_data.get("until", now)
        since = query.validated_data.get("since") or _a_day_before(until)
        found = fates(task, since, until, now, count + 1)
        following = found[count].at if len(found) > count else None
        return Response(FatesSerializer({"fires": found[:count], "next": following}).data)

    @extend_schema(parameters=[TimeQuery], responses=TimeExplanationSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def explain(self, request: Request, pk: str) -> Response:
        """Why nothing ran at a nominal time, or what did."""
        task = self.get_object()
        query = TimeQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        at = query.validated_data["at"]
        return Response({"at": _iso(at), "summary": explain_time(task, at, database_now())})


class PreviewView(JSONBody, APIView):
    """A schedule that is not saved yet: its next fires, and what it says in words."""

    permission_classes = [IsAuthenticated]

    @extend_schema(request=PreviewSerializer, responses=PreviewAnswerSerializer)
    def post(self, request: Request) -> Response:
        wish = PreviewSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        values = wish.validated_data
        after, count = values.pop("after"), values.pop("count")
        language = values.pop("language", "zh" if request.headers.get("Accept-Language", "").startswith("zh") else "en")
        task = Task(**values)
        return Response({"fires": _fires(task, after, count), "words": schedule.words(task.plan(), language)})


def _a_day_before(moment: datetime) -> datetime:
    return max(moment, EARLIEST + DAY) - DAY


def _fires(task: Task, after: datetime | None, count: int) -> list[dict[str, str]]:
    found = closing.fires(task, after or database_now(), count)
    return [_shown(fire) | ({"closed": closed} if closed else {}) for fire, closed in found]


def _shown(fire: schedule.Fire) -> dict[str, str]:
    return {"utc": _iso(fire.at), "local": fire.local.isoformat(), "mark": fire.mark}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
