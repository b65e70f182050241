"""What people do to pools."""

from datetime import datetime

from django.db import transaction

from tasks_app import outbox
from tasks_app.actions import NotPossible
from tasks_app.models import Pool


def save(pool: Pool, now: datetime) -> None:
    """Store a new or edited, validated pool; it holds at once."""
    pool.save()
    outbox.hint(now)


def delete(pool: Pool) -> None:
    """Take a pool away; raises `NotPossible` while tasks use it."""
    with transaction.atomic():
        stored = Pool.objects.select_for_update().get(pk=pool.pk)
        if used := stored.used_by():
            raise NotPossible(f"{used} Take it out of them first.")
        pool.delete()
