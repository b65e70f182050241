"""`manage.py apply tasks.yaml`: make it so that there are the tasks that a file says."""

from argparse import ArgumentParser
from typing import Any

from tasks_app.management.applying import ApplyingCommand, source_of, text_of
from tasks_app.manifest.reading import read


class Command(ApplyingCommand):
    help = "Create, change and, with --prune, delete tasks until they are as a YAML file says; all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the YAML file; - for standard input")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        source, text = source_of(options), text_of(options["file"])
        self.apply(lambda: read(text), source, options)
