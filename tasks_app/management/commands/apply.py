"""`manage.py apply tasks.yaml`: make it so that there are the tasks that a file says."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from tasks_app.actions import NotPossible
from tasks_app.clock import database_now
from tasks_app.manifest.changes import carry_out, compare
from tasks_app.manifest.reading import ManifestError, read
from tasks_app.manifest.writing import lines


class Command(BaseCommand):
    help = "Create, change and, with --prune, delete tasks until they are as a YAML file says; all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the YAML file; - for standard input")
        parser.add_argument("--plan", action="store_true", help="only show what would change")
        parser.add_argument("--prune", action="store_true", help="delete what this source manages and no longer names")
        parser.add_argument("--source", help="who manages these tasks; the file's name without its ending, if left out")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"] == "-" and not options["source"]:
            raise CommandError("Standard input has no name: say --source.")
        text, source = _text(options["file"]), options["source"] or Path(options["file"]).stem
        try:
            with transaction.atomic():
                changes = compare(read(text), source, prune=options["prune"])
                self.stdout.write("\n".join(lines(changes)))
                if not options["plan"]:
                    carry_out(changes, database_now())
        except (ManifestError, NotPossible) as error:
            raise CommandError(f"Nothing was changed.\n{error}") from None
        except IntegrityError:
            raise CommandError("Nothing was changed: somebody has made one of these tasks meanwhile. Repeat.") from None
        if not options["plan"]:
            self.stdout.write(self.style.SUCCESS("Done." if changes else "Nothing to do."))


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from None
