"""`manage.py import_celery_beat`: the rows of django-celery-beat as tasks."""

from argparse import ArgumentParser
from typing import Any

from django_celery_beat.models import PeriodicTask, PeriodicTasks

from tasks_app.clock import database_now
from tasks_app.management.applying import ApplyingCommand
from tasks_app.manifest.celery_beat import Call, read
from tasks_app.manifest.reading import tasks_of
from tasks_app.models import Task

SOURCE = "celery-beat"


class Command(ApplyingCommand):
    help = "Make tasks of django-celery-beat's rows, which call the same Celery tasks; all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--app", required=True, help="your Celery app, as in `celery -A APP`")
        parser.add_argument("--celery", default="celery", help="the program on the workers; celery, if left out")
        parser.add_argument("--cwd", default="", help="the folder there in which APP is found")
        parser.add_argument("--namespace", default="default", help="where the tasks are made; default, if left out")
        parser.add_argument("--disable", action="store_true", help="and disable the rows, so that only the tasks fire")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        rows = PeriodicTask.objects.order_by("pk").select_related("interval", "crontab", "solar", "clocked")
        found = read(rows, Call(options["app"], options["celery"], options["cwd"]), database_now())
        for note in found.notes:
            self.stderr.write(note)
        enabled = [row for row in found.taken if row.enabled]
        if enabled and not options["disable"]:
            self.stderr.write(f"{len(enabled):,} of these rows are enabled and go on firing, unless you add --disable.")

        def wanted() -> list[Task]:
            tasks = tasks_of({"namespace": options["namespace"], "tasks": found.tasks})
            for task, row in zip(tasks, found.taken, strict=True):
                task.status = Task.Status.ACTIVE if row.enabled else Task.Status.PAUSED
            return tasks

        def disable() -> None:
            PeriodicTask.objects.filter(pk__in=[row.pk for row in enabled]).update(enabled=False, last_run_at=None)
            PeriodicTasks.update_changed()

        self.apply(wanted, options["source"] or SOURCE, options, disable if options["disable"] else None)
