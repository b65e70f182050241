"""Answers to “why is it not running?”."""

from typing import Any

from rest_framework import serializers


class GateSerializer(serializers.Serializer[Any]):
    """A gate that a run must pass before it starts."""

    gate = serializers.CharField()
    open = serializers.BooleanField()
    value = serializers.CharField(help_text="Its current value, in a sentence.")
    since = serializers.DateTimeField(allow_null=True, help_text="Since when it is shut, where that is known.")
    opens = serializers.CharField(help_text="What would open it; empty where it is open.")


class ExplanationSerializer(serializers.Serializer[Any]):
    """Why a run is not running."""

    summary = serializers.CharField(help_text="The answer in a sentence or two.")
    gates = GateSerializer(many=True, help_text="In the order in which they are asked; none unless it is pending.")


class TimeQuery(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="The nominal time; without an offset, UTC.")


class TimeExplanationSerializer(serializers.Serializer[Any]):
    """What became of a nominal time."""

    at = serializers.DateTimeField()
    summary = serializers.CharField(help_text="The answer in a sentence or two.")
