"""Duty: pauses end when their time has come."""

from datetime import datetime

from django.db import transaction

from tasks_app import actions
from tasks_app.models import Pause
from tasks_app.sql import claimed

BATCH = 100
"""Pauses per pass."""


def end(now: datetime) -> int:
    """Return how many have ended."""
    with transaction.atomic(savepoint=False):
        over = list(claimed(Pause.objects.filter(until__lte=now).order_by("until"))[:BATCH])
        for pause in over:
            actions.end_pause(pause, now)
    return len(over)
