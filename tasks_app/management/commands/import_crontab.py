"""`manage.py import_crontab FILE`: the jobs of a crontab as tasks."""

from argparse import ArgumentParser
from typing import Any

from tasks_app.management.applying import ApplyingCommand, source_of, text_of
from tasks_app.manifest import crontab
from tasks_app.manifest.reading import tasks_of


class Command(ApplyingCommand):
    help = "Make tasks of the jobs of a crontab; again, and they follow what has changed in it. All or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the crontab (as `crontab -l` prints it); - for standard input")
        parser.add_argument("--system", action="store_true", help="as /etc/crontab: a user before each command")
        parser.add_argument("--timezone", default="UTC", help="of the machine it is from; UTC, if left out")
        parser.add_argument("--namespace", default="default", help="where the tasks are made; default, if left out")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        source, text = source_of(options), text_of(options["file"])
        found = crontab.read(text, system=options["system"], timezone=options["timezone"])
        for note in found.notes:
            self.stderr.write(note)
        self.apply(lambda: tasks_of({"namespace": options["namespace"], "tasks": found.tasks}), source, options)
