"""JSON ↔ calendars."""

from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from access_app.models import Namespace
from tasks_app.api.fields import ChoiceField, named_field
from tasks_app.api.serializers import ModelRules, StrictMixin, TaskSerializer
from tasks_app.models import Calendar

YEAR, MOST_DAYS = timedelta(days=365), timedelta(days=1100)


class CalendarSerializer(StrictMixin, ModelRules):
    """Which days and hours are closed."""

    serializer_field_mapping = TaskSerializer.serializer_field_mapping
    serializer_choice_field = ChoiceField
    namespace = named_field(Namespace, "The namespace whose tasks can use it; null: all can.", allow_null=True)

    class Meta:
        model = Calendar
        fields = [
            "id", "name", "namespace", "description", "kind", "closed", "open", "timezone", "for_all", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]
        extra_kwargs = {
            "name": {"trim_whitespace": False, "validators": []},
            "closed": {"trim_whitespace": False},
            "open": {"trim_whitespace": False},
        }
        validators: list[Any] = []


class DaysQuery(serializers.Serializer[Any]):
    since = serializers.DateField(required=False, help_text="Left out: today.")
    until = serializers.DateField(required=False, help_text="Before then. Left out: a year after `since`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        since = attrs.get("since") or timezone.now().date()
        until = attrs.get("until") or since + min(YEAR, date.max - since)
        if not timedelta() < until - since <= MOST_DAYS:
            raise serializers.ValidationError({"until": f"Use a day after since, by at most {MOST_DAYS.days:,} days."})
        return {"since": since, "until": until}


class ClosedDaySerializer(serializers.Serializer[Any]):
    date = serializers.DateField()
    name = serializers.CharField(help_text="Why it is closed.")


class DaysSerializer(serializers.Serializer[Any]):
    """The days that are closed as a whole."""

    days = ClosedDaySerializer(many=True)


class IcsSerializer(StrictMixin, serializers.Serializer[Any]):
    """A file of another calendar, and where its events go."""

    ics = serializers.CharField(max_length=2_000_000, trim_whitespace=False, help_text="The text of an iCalendar file.")
    field = ChoiceField(choices=["closed", "open"], default="closed", help_text="Are its events closed, or open?")
    replace = serializers.BooleanField(default=False, help_text="True: in place of what stands there, not beside it.")
