"""`manage.py new_key`: a key for SCHEDULER_MESSAGE_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand

from workers_app.messaging.sealing import new_key


class Command(BaseCommand):
    help = "Print a new random key for SCHEDULER_MESSAGE_KEYS."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(new_key())
