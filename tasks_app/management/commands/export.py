"""`manage.py export`: tasks as the YAML file that makes them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access_app.models import Namespace
from tasks_app.manifest.writing import write
from tasks_app.models import Task


class Command(BaseCommand):
    help = "Print tasks as YAML, as `apply` reads it; what is at its default is left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--namespace", help="only tasks of this namespace")
        parser.add_argument("--source", help="only tasks that this source manages")

    def handle(self, *args: Any, **options: Any) -> None:
        tasks = Task.objects.filter(deleted_at=None).select_related("namespace", "calendar")
        tasks = tasks.order_by("namespace__name", "name")
        if options["namespace"]:
            if not Namespace.objects.filter(name=options["namespace"]).exists():
                raise CommandError(f"There is no namespace “{options['namespace']}”.")
            tasks = tasks.filter(namespace__name=options["namespace"])
        if options["source"]:
            tasks = tasks.filter(managed_by=options["source"])
        self.stdout.write(write(tasks), ending="")
