from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import pre_migrate

from scheduler_project import checks

__all__ = ["checks"]

UNLIMITED = ("statement_timeout", "idle_in_transaction_session_timeout")
"""What a service must never do, a migration of a big table has to: take its time. It still waits for no lock."""


class SchedulerProjectConfig(AppConfig):
    name = "scheduler_project"

    def ready(self) -> None:
        pre_migrate.connect(lift_limits)


def lift_limits(using: str, **kwargs: Any) -> None:
    """Let a migration's statements take as long as they need (PostgreSQL)."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in UNLIMITED:
                cursor.execute(f"SET {name} = 0")
        connection.connection.patience = None
