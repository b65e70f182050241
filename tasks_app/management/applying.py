"""What all commands share that bring tasks to what a source says."""

import gc
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from tasks_app.actions import NotPossible
from tasks_app.clock import database_now
from tasks_app.manifest.changes import carry_out, compare
from tasks_app.manifest.reading import ManifestError
from tasks_app.manifest.writing import lines
from tasks_app.models import Task


class ApplyingCommand(BaseCommand):
    """Shows the difference, then carries it out: all of it or nothing."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--plan", action="store_true", help="only show what would change")
        parser.add_argument("--prune", action="store_true", help="delete what this source manages and no longer names")
        parser.add_argument("--source", help="who manages these tasks; the file's name without its ending, if left out")

    def apply(
        self,
        wanted: Callable[[], list[Task]],
        source: str,
        options: dict[str, Any],
        then: Callable[[], None] | None = None,
    ) -> None:
        """`wanted` reads the tasks that there shall be; it may raise `ManifestError`. `then` is part of it."""
        with _all_kept():
            self._apply(wanted, source, options, then)

    def _apply(
        self,
        wanted: Callable[[], list[Task]],
        source: str,
        options: dict[str, Any],
        then: Callable[[], None] | None,
    ) -> None:
        try:
            tasks = wanted()  # not in the transaction: PostgreSQL ends one that stands idle
            with transaction.atomic():
                changes = compare(tasks, source, prune=options["prune"])
                self.stdout.write("\n".join(lines(changes)))
                if not options["plan"]:
                    carry_out(changes, database_now())
                    if then:
                        then()
        except (ManifestError, NotPossible) as error:
            raise CommandError(f"Nothing was changed.\n{error}") from None
        except ValidationError as error:
            told = (f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts)
            raise CommandError("\n".join(["Nothing was changed.", *told])) from None
        except IntegrityError:
            raise CommandError("Nothing was changed: somebody has made one of these tasks meanwhile. Repeat.") from None
        if not options["plan"]:
            self.stdout.write(self.style.SUCCESS("Done." if changes else "Nothing to do."))


@contextmanager
def _all_kept() -> Iterator[None]:
    """Large files make much that stays until the end: to look for garbage in it takes longer than to read them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def source_of(options: dict[str, Any]) -> str:
    """Who manages the tasks."""
    if options["file"] == "-" and not options["source"]:
        raise CommandError("Standard input has no name: say --source.")
    return str(options["source"] or Path(options["file"]).stem)


def text_of(name: str) -> str:
    """What is in a file, or, for -, in standard input."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from None
