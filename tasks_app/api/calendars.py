"""`/api/v1/calendars/`."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app import calendar_actions
from tasks_app.api.calendar_serializers import CalendarSerializer, DaysQuery, DaysSerializer, IcsSerializer
from tasks_app.api.filters import CalendarFilter
from tasks_app.api.locking import LockingViewSet
from tasks_app.clock import database_now
from tasks_app.models import Calendar


@extend_schema_view(
    list=extend_schema(description="Calendars, newest first."),
    create=extend_schema(description="Say which days and hours are closed, for tasks that name this calendar."),
    retrieve=extend_schema(description="One calendar."),
    update=extend_schema(description="Edit the calendar. Optional fields that are left out keep their value."),
    partial_update=extend_schema(description="Edit the calendar; it holds at once. Fields left out keep their value."),
    destroy=extend_schema(description="Take the calendar away, which no task may use."),
)
class CalendarViewSet(LockingViewSet):
    """Calendars: which days and hours are closed."""

    serializer_class = CalendarSerializer
    filterset_class = CalendarFilter
    queryset = Calendar.objects.select_related("namespace").order_by("-id")
    changing = ("import_ics",)
    action_perms = {"days": "tasks_app.view_calendar", "import_ics": "tasks_app.change_calendar"}

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = Calendar(**serializer.validated_data)
        calendar_actions.save(serializer.instance, database_now())

    def perform_update(self, serializer: Any) -> None:
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        calendar_actions.save(serializer.instance, database_now())

    def perform_destroy(self, instance: Calendar) -> None:
        calendar_actions.delete(instance)

    @extend_schema(parameters=[DaysQuery], responses=DaysSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def days(self, request: Request, pk: str) -> Response:
        """The days that are closed as a whole."""
        calendar = self.get_object()
        query = DaysQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = calendar.read().closed_days(**query.validated_data)
        return Response({"days": [{"date": day.isoformat(), "name": name} for day, name in found]})

    @extend_schema(request=IcsSerializer, responses=CalendarSerializer)
    @action(detail=True, methods=["post"], url_path="import-ics")
    @transaction.atomic
    def import_ics(self, request: Request, pk: str) -> Response:
        """Take the events of an iCalendar file over, as lines. Those that are there already do not come twice."""
        calendar = self.get_object()
        wish = IcsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        calendar_actions.import_ics(calendar, now=database_now(), **wish.validated_data)
        return Response(self.get_serializer(calendar).data)
