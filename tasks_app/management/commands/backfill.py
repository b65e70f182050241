"""`manage.py backfill TASK`: make up for nominal times that have gone by."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from tasks_app import actions
from tasks_app.backfilling import chosen
from tasks_app.clock import database_now
from tasks_app.models import Backfill, Task


class Command(BaseCommand):
    help = "Run the nominal times of a task that have gone by: those without a run, those that failed, or all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", help="the task's id, its name, or NAMESPACE/NAME")
        parser.add_argument(
            "--since", required=True, help="the first nominal time that counts, such as 2030-01-31T09:00"
        )
        parser.add_argument("--until", help="nominal times before then; now, if left out. Without an offset, UTC")
        parser.add_argument("--which", default="missing", choices=Backfill.Which.values, help="missing, if left out")
        parser.add_argument("--order", default="oldest", choices=Backfill.Order.values, help="which come first")
        parser.add_argument("--parallel", type=int, default=1, help="so many runs at the same time; one, if left out")
        parser.add_argument("--plan", action="store_true", help="only list the nominal times")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        wish = Backfill(
            task=_task(options["task"]),
            since=_moment("--since", options["since"]),
            until=_moment("--until", options["until"]) if options["until"] else now,
            **{name: options[name] for name in ("which", "order", "parallel")},
        )
        try:
            times = chosen(wish.task, wish, now)
            listed = [f"{at:%Y-%m-%d %H:%M:%S} UTC" for at in times]
            self.stdout.write("\n".join([*listed, f"{len(times):,} nominal times."]))
            if not options["plan"]:
                row = actions.backfill(wish, now)
                self.stdout.write(self.style.SUCCESS(f"Backfill {row.pk} has begun."))
        except (ValidationError, actions.NotPossible) as error:
            raise CommandError(f"Nothing was changed.\n{_told(error)}") from None


def _task(text: str) -> Task:
    namespace, _, name = text.rpartition("/")
    tasks = Task.objects.filter(deleted_at=None)
    found = tasks.filter(pk=int(text)) if text.isdecimal() else tasks.filter(name=name)
    found = found.filter(namespace__name=namespace) if namespace else found
    match list(found[:2]):
        case [task]:
            return task
        case []:
            raise CommandError(f"There is no task “{text}”.")
    raise CommandError(f"There are several tasks “{text}”: say NAMESPACE/NAME, or the id.")


def _moment(option: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option}: “{text}” is not a time: write ISO 8601, such as 2030-01-31T09:00Z.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _told(error: ValidationError | actions.NotPossible) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "\n".join(f"{name}: {message}" for name, texts in error.message_dict.items() for message in texts)
