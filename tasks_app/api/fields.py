"""Serializer fields that take no guesses, and say what they want."""

import math
from typing import Any

from django.db.models import Model
from rest_framework import serializers


class TextField(serializers.CharField):
    """Text only: a number or a boolean is a mistake."""

    default_error_messages = {"invalid": "This must be text.", "blank": "This must not be empty."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class NumberField(serializers.FloatField):
    """A finite number."""

    default_error_messages = {"invalid": "This must be a finite number."}

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if isinstance(data, bool) or not math.isfinite(value):
            self.fail("invalid")
        return float(value)


class ChoiceField(serializers.ChoiceField):
    """Lists the choices when it refuses one."""

    def fail(self, key: str, **details: Any) -> Any:
        if key == "invalid_choice":
            known = ", ".join(str(choice) for choice in self.choices)
            raise serializers.ValidationError(f"“{details['input']}” is unknown. Use one of: {known}.", code=key)
        return super().fail(key, **details)


class JSONObjectField(serializers.JSONField):
    """A JSON object."""

    default_error_messages = {"not_object": "This must be a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("not_object")
        return super().to_internal_value(data)


def named_field(model: type[Model], help_text: str, **options: Any) -> serializers.Field[Any, Any, Any, Any]:
    """A row of `model`, by its name."""
    return serializers.SlugRelatedField(
        slug_field="name",
        queryset=model._default_manager.all(),
        required=False,
        error_messages={
            "does_not_exist": f"There is no {model._meta.verbose_name} “{{value}}”.",
            "invalid": "This must be a name.",
        },
        help_text=help_text,
        **options,
    )
