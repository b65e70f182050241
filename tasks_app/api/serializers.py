"""JSON ↔ models. Rules live in the models; here is only what belongs to the wire."""

from copy import copy
from datetime import UTC
from functools import cache
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from access_app.models import Namespace
from tasks_app import pausing
from tasks_app.api.fields import ChoiceField, JSONObjectField, NumberField, TextField, named_field
from tasks_app.models import Calendar, Circuit, Pause, RunAttempt, RunLog, Task, TaskRun
from tasks_app.schedule import DIALECTS, GAPS, LANGUAGES, MAX_LENGTH, MOST_NTH, MOST_SPREAD, OVERLAPS, SPEC_FIELDS
from tasks_app.validators import PARAMS_BYTES, validate_params
from workers_app.models import WorkerInfo

KEY_LENGTH = 200
AFTER = "Fires after this time; without an offset, UTC. Left out: from now on."


class StrictMixin(serializers.BaseSerializer[Any]):
    """Refuses fields that do not exist, so that a typo is not silently ignored."""

    default_error_messages = {"invalid": "Send a JSON object.", "null": "Send a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()  # type: ignore[attr-defined]
        if unknown:
            known = ", ".join(name for name, field in self.fields.items() if not field.read_only)  # type: ignore[attr-defined]
            message = f"There is no such field. Known fields: {known}."
            raise serializers.ValidationError({name: [message] for name in sorted(unknown)})
        return super().to_internal_value(data)


class ScheduleSerializer(serializers.Serializer[Any]):
    """One of several schedules of a task."""

    schedule = serializers.CharField(max_length=MAX_LENGTH)
    timezone = serializers.CharField(required=False, help_text="The task's, if left out.")
    dialect = serializers.ChoiceField(choices=DIALECTS, required=False)
    dst_gap = serializers.ChoiceField(choices=GAPS, required=False)
    dst_overlap = serializers.ChoiceField(choices=OVERLAPS, required=False)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)
    every_nth = serializers.IntegerField(required=False, min_value=1, max_value=MOST_NTH)
    spread_seconds = serializers.IntegerField(required=False, min_value=0, max_value=MOST_SPREAD)


class ParentSerializer(serializers.Serializer[Any]):
    """A task that another one depends on."""

    task = serializers.CharField(help_text="Its name, in the same namespace.")
    when = serializers.CharField(required=False, help_text="A condition on how it ended, such as `result.rows > 0`.")


@extend_schema_field(ParentSerializer(many=True))
class ParentsField(serializers.JSONField):
    """Checked by the model; a bare name stands for a parent without a condition."""

    default_error_messages = {"not_a_list": "This must be a list of names, or of objects with task and when."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("not_a_list")
        return super().to_internal_value(data)


@extend_schema_field(ScheduleSerializer(many=True))
class SchedulesField(serializers.JSONField):
    """Checked by the model; here is only what it looks like."""


class ModelRules(serializers.ModelSerializer[Any]):
    """Applies the model's own rules to a row as it would be stored."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        candidate = copy(self.instance) if self.instance else self.Meta.model()  # type: ignore[misc]
        for name, value in attrs.items():
            setattr(candidate, name, value)
        try:
            candidate.full_clean()
        except DjangoValidationError as error:
            problems = error.message_dict
            if NON_FIELD_ERRORS in problems:  # the one rule of several fields: unique names
                problems["name"] = [*problems.get("name", []), *problems.pop(NON_FIELD_ERRORS)]
            raise serializers.ValidationError(problems) from error
        return attrs


class TaskSerializer(StrictMixin, ModelRules):
    """A task: what should run, when, where and under which limits."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
        models.FloatField: NumberField,
    }
    serializer_choice_field = ChoiceField
    namespace = named_field(Namespace, "The namespace's name; `default` if left out.")
    config = JSONObjectField(required=False, help_text="The executor's other settings.")
    labels = JSONObjectField(required=False, help_text="What it is about; tasks with a label can be paused together.")
    pause = serializers.SerializerMethodField(
        help_text="Why it fires nothing: its own pause, or the strongest of those that hold it; null: it is not held."
    )
    worker_labels = JSONObjectField(required=False, help_text="Only workers with all these labels.")
    excluded_labels = JSONObjectField(required=False, help_text="No worker with any of these labels.")
    preferred_labels = JSONObjectField(required=False, help_text="Rather a worker with more of these labels.")
    inputs = JSONObjectField(required=False, help_text="Parameters it takes from its parents, each an expression.")
    depends_on = ParentsField(required=False, help_text="The tasks it runs after.")
    pools = JSONObjectField(required=False, help_text="How many slots a run takes, by the name of the pool.")
    calendar = named_field(Calendar, "On its closed days and hours the task does not fire.", allow_null=True)
    schedules = SchedulesField(required=False, help_text="Further schedules: it fires whenever one of them does.")

    class Meta:
        model = Task
        fields = [
            "id", "name", "namespace", "description", "executor", "command", "config", *SPEC_FIELDS, "schedules",
            "after_outage", "after_resume", "catch_up_seconds", "catch_up_runs", "calendar", "on_closed",
            "status", "priority", "timeout_seconds", "max_attempts", "retry_delay_seconds", "retry_max_delay_seconds",
            "delivery", "circuit", "circuit_failures", "circuit_seconds",
            "depends_on", *Task.CHAIN, *Task.FAN_OUT, *Task.LIMITS, *Task.GUARDS,
            "labels", "worker_labels", "excluded_labels", "preferred_labels", "strategy", "pause", "managed_by",
            "next_fire_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["managed_by", "next_fire_at", "created_at", "updated_at"]
        extra_kwargs = {"name": {"trim_whitespace": False}, "command": {"trim_whitespace": False}}
        validators: list[Any] = []

    @extend_schema_field({"type": ["object", "null"]})
    def get_pause(self, task: Task) -> dict[str, Any] | None:
        if not task.is_held:
            return None
        known: dict[str, Any] = self.context  # type: ignore[assignment]
        if "general" not in known:
            known["general"] = pausing.general()
        found = pausing.shown(task, known["general"])
        return _pause(found) if found else None


def _pause(row: Pause) -> dict[str, Any]:
    times = {"since": row.paused_at, "until": row.until}
    return {
        "id": row.pk,
        "scope": str(row),
        "reason": row.reason,
        "by": row.paused_by.username if row.paused_by else None,
        **{name: at and at.astimezone(UTC).isoformat().replace("+00:00", "Z") for name, at in times.items()},
        "drain": row.drain,
    }


class AttemptSerializer(serializers.ModelSerializer[RunAttempt]):
    worker = serializers.CharField(source="worker.name", default=None)

    class Meta:
        model = RunAttempt
        fields = ["attempt", "worker", "reason", "exit_code", "error", "assigned_at", "started_at", "completed_at"]


class RunSerializer(serializers.ModelSerializer[TaskRun]):
    """A run: one intended execution of a task."""

    task_name = serializers.CharField(source="task.name")
    worker = serializers.CharField(source="worker.name", default=None)

    class Meta:
        model = TaskRun
        fields = [
            "id", "task", "task_name", "attempt", "status", "reason", "origin", "worker", "params", "scheduled_for",
            "available_at", "created_at", "assigned_at", "started_at", "completed_at", "exit_code", "result", "error",
            "cancel_requested_at", "retry_of", "backfill", "flow", "fan_out", "item", "gate", "gate_since",
        ]  # fmt: skip
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    """A run with the attempts that did not end it well."""

    attempts = AttemptSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "attempts"]
        read_only_fields = fields


@cache
def _built(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    return kind()


def represent(kind: type[serializers.Serializer[Any]], thing: Any) -> dict[str, Any]:
    """`kind(thing).data` with the fields built once: building them costs more than all the rest of a request."""
    return dict(_built(kind).to_representation(thing))


class TriggerSerializer(StrictMixin, serializers.Serializer[Any]):
    """A wish to run a task."""

    params = JSONObjectField(
        required=False,
        default=dict,
        validators=[validate_params],
        help_text=f"Handed to the executor; at most {PARAMS_BYTES // 1024} KiB.",
    )
    scheduled_for = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Not before then; without an offset, UTC. Null: now."
    )
    children = serializers.BooleanField(default=True, help_text="False: the task alone, without what depends on it.")


class BulkTriggerSerializer(TriggerSerializer):
    """A wish to run a task, among others. That the task exists is checked for all of them at once."""

    task = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="The task's id.")
    idempotency_key = TextField(
        max_length=KEY_LENGTH, required=False, allow_null=True, default=None, help_text="Repeats make no new run."
    )


class BulkSerializer(serializers.Serializer[Any]):
    """Many triggers; a bare list of them does as well."""

    runs = BulkTriggerSerializer(many=True)


class BulkAnswerSerializer(serializers.Serializer[Any]):
    """The runs, in the order of their triggers."""

    runs = RunSerializer(many=True)


class LogSerializer(serializers.ModelSerializer[RunLog]):
    attempt = serializers.IntegerField()

    class Meta:
        model = RunLog
        fields = ["position", "attempt", "text", "created_at"]


class LogsSerializer(serializers.Serializer[Any]):
    """Output of a run, oldest first."""

    logs = LogSerializer(many=True)
    next = serializers.IntegerField(help_text="The `after` of the next call.")
    ended = serializers.BooleanField(help_text="The run has ended and this is the last of its output.")


class PreviewSerializer(StrictMixin, serializers.ModelSerializer[Task]):
    """A schedule that is not saved yet."""

    serializer_field_mapping = TaskSerializer.serializer_field_mapping
    serializer_choice_field = ChoiceField
    namespace = TaskSerializer._declared_fields["namespace"]
    schedules = SchedulesField(required=False)
    calendar = TaskSerializer._declared_fields["calendar"]
    after = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text=AFTER)
    count = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="How many, at most 100.")
    language = ChoiceField(
        choices=LANGUAGES, required=False, help_text="Of the words; as `Accept-Language` says, if left out."
    )

    class Meta:
        model = Task
        fields = [*SPEC_FIELDS, "schedules", "calendar", "on_closed", "name", "namespace", "after", "count", "language"]
        extra_kwargs = {
            "schedule": {"required": True, "help_text": "As in a task."},
            "name": {"required": False, "help_text": "Of the task, as H and a spread depend on it."},
        }
        validators: list[Any] = []


class NextFiresQuery(serializers.Serializer[Any]):
    after = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text=AFTER)
    count = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="How many, at most 100.")


class FireSerializer(serializers.Serializer[Any]):
    """One nominal time."""

    utc = serializers.DateTimeField()
    local = serializers.DateTimeField(help_text="In the schedule's time zone.")
    mark = serializers.CharField(
        help_text="`gap`: moved here, as its local time does not exist. `overlap`: the local time comes twice. "
        "`moved`: here from a closed day."
    )
    closed = serializers.CharField(
        required=False, help_text="Only where it is skipped: the calendar that closes it, and why."
    )


class FiresSerializer(serializers.Serializer[Any]):
    fires = FireSerializer(many=True)


class FatesQuery(serializers.Serializer[Any]):
    since = serializers.DateTimeField(required=False, help_text="Left out: a day before `until`.")
    until = serializers.DateTimeField(required=False, help_text="Before then. Left out: now.")
    count = serializers.IntegerField(min_value=1, max_value=1000, default=100, help_text="How many, at most 1,000.")


class FateSerializer(serializers.Serializer[Any]):
    """What became of one nominal time."""

    utc = serializers.DateTimeField(source="at")
    outcome = serializers.CharField(
        help_text="The status of its run. `skipped` too where many share one record; `due`: it is still to come; "
        "`paused`: what becomes of it is decided when the task is resumed; `unknown`: there is neither run nor record."
    )
    reason = serializers.CharField(help_text="Why, where it did not run as it should.")
    run = serializers.UUIDField(source="run.pk", default=None, allow_null=True)
    expected = serializers.BooleanField(help_text="False: there is a run, though no plan of the task has this time.")


class FatesSerializer(serializers.Serializer[Any]):
    fires = FateSerializer(many=True)
    next = serializers.DateTimeField(allow_null=True, help_text="The `since` of the next call; null: that was all.")


class PreviewAnswerSerializer(FiresSerializer):
    words = serializers.CharField(help_text="What the schedule says, in words.")


class WorkerSerializer(serializers.ModelSerializer[WorkerInfo]):
    set_aside_until = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        default=None,
        help_text="It was not able to start what it was given: then it may try again. Null normally.",
    )

    class Meta:
        model = WorkerInfo
        fields = [
            "id", "name", "status", "last_heartbeat", "current_tasks", "max_tasks", "labels", "executors", "namespaces",
            "hostname", "pid", "boot_id", "draining", "lease_until", "started_at", "cpu_percent", "memory_percent",
            "set_aside_until",
        ]  # fmt: skip
        read_only_fields = fields


class CircuitSerializer(serializers.ModelSerializer[Circuit]):
    """Whether a target may be used."""

    probe = serializers.UUIDField(
        source="probe_id", read_only=True, allow_null=True, help_text="The run that tries it, while it is half open."
    )

    class Meta:
        model = Circuit
        fields = ["id", "target", "state", "failures", "opened_at", "retry_at", "probe"]
        read_only_fields = fields
