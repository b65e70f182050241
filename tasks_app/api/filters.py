"""What lists can be filtered by."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend

from tasks_app.models import Backfill, Calendar, Circuit, FlowRun, Pause, Pool, Task, TaskRun
from workers_app.models import WorkerInfo

LARGEST_ID = 2**63 - 1


class ListFilter(DjangoFilterBackend):
    """Filters lists. DRF would filter single objects too, which only costs time."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return super().filter_queryset(request, queryset, view) if view.action == "list" else queryset


class TimeField(IsoDateTimeField):
    """A time that can be told in UTC."""

    default_error_messages = {"invalid": "Write a time as 2026-01-31T09:00:00Z. (The + of an offset must be escaped.)"}

    def clean(self, value: Any) -> datetime | None:
        time = super().clean(value)
        try:
            return time and time.astimezone(UTC)
        except OverflowError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class TimeFilter(django_filters.IsoDateTimeFilter):
    field_class = TimeField


class IdFilter(django_filters.Filter):
    field_class = forms.IntegerField


class TaskFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(help_text="The whole name.")
    executor = django_filters.CharFilter(help_text="The executor's name.")
    namespace = django_filters.CharFilter(field_name="namespace__name", help_text="The namespace's name.")
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", help_text="A part of the name.")
    label = django_filters.CharFilter(method="with_label", help_text="One of its labels, as key=value.")

    class Meta:
        model = Task
        fields = ["name", "namespace", "executor", "status", "search", "label"]

    def with_label(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        key, _, text = value.partition("=")
        return tasks.alias(value=KeyTransform(key, "labels")).filter(value=text)


class PauseFilter(django_filters.FilterSet):
    task = IdFilter(field_name="task_id", min_value=1, max_value=LARGEST_ID, help_text="The task's id.")
    namespace = django_filters.CharFilter(field_name="namespace__name", help_text="The namespace's name.")
    label = django_filters.CharFilter(help_text="The whole label, as key=value.")

    class Meta:
        model = Pause
        fields = ["task", "namespace", "label"]


class RunFilter(django_filters.FilterSet):
    task = IdFilter(field_name="task_id", min_value=1, max_value=LARGEST_ID, help_text="The task's id.")
    status = django_filters.MultipleChoiceFilter(
        choices=TaskRun.Status.choices,
        help_text="May be given repeatedly.",
        error_messages={"invalid_choice": f"“%(value)s” is unknown. Use: {', '.join(TaskRun.Status.values)}."},
    )
    worker = django_filters.CharFilter(field_name="worker__name", help_text="The worker's name.")
    backfill = IdFilter(field_name="backfill_id", min_value=1, max_value=LARGEST_ID, help_text="The backfill's id.")
    flow = django_filters.UUIDFilter(field_name="flow_id", help_text="The flow's id.")
    fan_out = django_filters.UUIDFilter(field_name="fan_out_id", help_text="The id of the run it is an item of.")
    since = TimeFilter(field_name="created_at", lookup_expr="gte", help_text="Created then or later.")
    until = TimeFilter(field_name="created_at", lookup_expr="lt", help_text="Created before then.")

    class Meta:
        model = TaskRun
        fields = ["task", "status", "worker", "backfill", "flow", "fan_out", "since", "until"]


class WorkerFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(help_text="The whole name.")

    class Meta:
        model = WorkerInfo
        fields = ["name", "status"]


class BackfillFilter(django_filters.FilterSet):
    task = IdFilter(field_name="task_id", min_value=1, max_value=LARGEST_ID, help_text="The task's id.")

    class Meta:
        model = Backfill
        fields = ["task", "status"]


class CalendarFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(help_text="The whole name.")
    namespace = django_filters.CharFilter(field_name="namespace__name", help_text="The namespace's name.")
    for_all = django_filters.BooleanFilter(help_text="Whether it holds for all tasks of its namespace.")

    class Meta:
        model = Calendar
        fields = ["name", "namespace", "for_all"]


class FlowFilter(django_filters.FilterSet):
    task = IdFilter(field_name="task_id", min_value=1, max_value=LARGEST_ID, help_text="Of the task it begins with.")

    class Meta:
        model = FlowRun
        fields = ["task", "status"]


class PoolFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(help_text="The whole name.")
    namespace = django_filters.CharFilter(field_name="namespace__name", help_text="The namespace's name.")

    class Meta:
        model = Pool
        fields = ["name", "namespace"]


class CircuitFilter(django_filters.FilterSet):
    target = django_filters.CharFilter(help_text="The whole target, such as host:api.example.com:443.")

    class Meta:
        model = Circuit
        fields = ["target", "state"]
