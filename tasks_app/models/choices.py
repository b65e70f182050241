"""What a task may choose between."""

from django.db import models


class Status(models.TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"


class CatchUp(models.TextChoices):
    NONE = "none"
    LAST = "last"
    ALL = "all"


class OnClosed(models.TextChoices):
    SKIP = "skip"
    PREVIOUS = "previous"
    NEXT = "next"


class Delivery(models.TextChoices):
    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class CircuitMode(models.TextChoices):
    OFF = "off"
    HOLD = "hold"
    SKIP = "skip"


class Overlap(models.TextChoices):
    ALLOW = "allow"
    QUEUE = "queue"
    SKIP = "skip"
    REPLACE = "replace"


class DependOn(models.TextChoices):
    FLOW = "flow"
    LATEST = "latest"


class TriggerRule(models.TextChoices):
    ALL_SUCCESS = "all_success"
    ALL_DONE = "all_done"
    ANY_SUCCESS = "any_success"
    ANY_FAILED = "any_failed"
    NONE_FAILED = "none_failed"
