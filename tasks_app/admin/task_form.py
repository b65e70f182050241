"""The form of a task, and the one that asks before a run."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

import executors
from tasks_app.models.chained import validate_inputs
from tasks_app.validators import validate_conditions, validate_label_map, validate_params, validate_pools

LABELS = ("worker_labels", "excluded_labels", "preferred_labels", "labels")
ROWS = {"description": 2, "command": 5, "config": 4, "schedules": 4, "pools": 2, "retry_on": 1, "never_retry_on": 1}
ROWS |= dict.fromkeys((*LABELS, "inputs"), 2)
"""Height of the text areas."""


class IndentedJSONField(forms.JSONField):
    """JSON over several lines, so that a person can edit it."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())


class TaskForm(forms.ModelForm):  # type: ignore[type-arg]
    """The model checks the task; here is only what belongs to the form."""

    depends_on = IndentedJSONField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": '["extract"]'}),
        help_text="The tasks it runs after, as a JSON list of names, or of objects with a condition: "
        "[{“task”: “load”, “when”: “result.rows > 0”}].",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "depends_on" in self.fields and self.instance.pk:
            self.fields["depends_on"].initial = self.instance.depends_on
        self._offer("executor", sorted(executors.specs()), UnfoldAdminSelectWidget)
        self._offer("timezone", _zones(), UnfoldAdminSelect2Widget)
        for name, rows in ROWS.items():
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = rows

    def _offer(self, name: str, known: list[str], widget: Any) -> None:
        """Let one choose from `known`; the model decides what is right, so that its message is shown."""
        if name in self.fields:
            values = dict.fromkeys([*known, getattr(self.instance, name) or known[0]])
            self.fields[name].widget = widget(choices=[(value, value) for value in values])

    def clean_command(self) -> str:
        """Browsers end lines with CR LF, which no shell understands."""
        return str(self.cleaned_data["command"]).replace("\r\n", "\n")

    def clean_depends_on(self) -> Any:
        """Given to the task at once, which checks it with everything else."""
        value = self.cleaned_data["depends_on"]
        if value != self.instance.depends_on:
            self.instance.depends_on = [] if value is None else value
        return value

    def clean_inputs(self) -> Any:
        return self._map("inputs", validate_inputs)

    def clean_config(self) -> Any:
        value = self.cleaned_data["config"]
        return {} if value is None else value

    def clean_schedules(self) -> Any:
        return self._list("schedules")

    def clean_retry_on(self) -> Any:
        return self._list("retry_on", validate_conditions)

    def clean_never_retry_on(self) -> Any:
        return self._list("never_retry_on", validate_conditions)

    def _list(self, name: str, validate: Callable[[Any], None] = lambda value: None) -> Any:
        value = [] if self.cleaned_data[name] is None else self.cleaned_data[name]
        validate(value)
        return value

    def clean_worker_labels(self) -> Any:
        return self._map("worker_labels", validate_label_map)

    def clean_excluded_labels(self) -> Any:
        return self._map("excluded_labels", validate_label_map)

    def clean_preferred_labels(self) -> Any:
        return self._map("preferred_labels", validate_label_map)

    def clean_labels(self) -> Any:
        return self._map("labels", validate_label_map)

    def clean_pools(self) -> Any:
        return self._map("pools", validate_pools)

    def _map(self, name: str, validate: Callable[[Any], None]) -> Any:
        value = {} if self.cleaned_data[name] is None else self.cleaned_data[name]
        validate(value)  # the model skips its validators where a value is empty, such as []
        return value

    def add_error(self, field: str | None, error: Any) -> None:
        """Show errors that the model keys by a part of a field (`config.url`) at that field."""
        if hasattr(error, "error_dict"):
            error = ValidationError(self._by_field(error.error_dict))
        super().add_error(field, error)

    def _by_field(self, errors: dict[str, list[ValidationError]]) -> dict[str, list[ValidationError]]:
        found: dict[str, list[ValidationError]] = {}
        for key, problems in errors.items():
            name, _, part = key.partition(".")
            if name in self.errors and name != NON_FIELD_ERRORS:
                continue  # the field cannot be read at all: what the model says of its default would confuse
            target = name if name in self.fields else NON_FIELD_ERRORS
            prefix = f"{part}: " if part else ""
            messages = [prefix + message for problem in problems for message in problem.messages]
            found.setdefault(target, []).extend(ValidationError(message) for message in messages)
        return found

    def _get_validation_exclusions(self) -> set[str]:
        """A name is unique among tasks that are not deleted: without `deleted_at` that rule would be skipped."""
        return super()._get_validation_exclusions() - {"deleted_at"}  # type: ignore[misc]


class RunNowForm(BaseDialogForm):
    """Asks for the parameters of a run."""

    params = IndentedJSONField(
        label="Parameters",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": '{"name": "value"}'}),
        help_text="Optional: a JSON object that this run gets.",
    )

    def clean_params(self) -> dict[str, Any]:
        value = self.cleaned_data["params"]
        if value is None:
            return {}
        validate_params(value)
        return value
