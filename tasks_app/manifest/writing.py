"""Tasks as a file, and differences as lines."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import yaml

from tasks_app.manifest.changes import Changes
from tasks_app.manifest.fields import NAMES, default
from tasks_app.models import Calendar, Task


class _Dumper(yaml.SafeDumper):
    """Text of several lines stands as it is."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = "\n" in text and not any(line != line.rstrip() for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if lines else None)


_Dumper.add_representer(str, _text)


def write(tasks: Iterable[Task]) -> str:
    """The file that makes these tasks; what is at its default is left out."""
    return yaml.dump(
        {"tasks": [_entry(task) for task in tasks]}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120
    )


def _entry(task: Task) -> dict[str, Any]:
    said = {name: getattr(task, name) for name in NAMES if getattr(task, name) != default(name)}
    return {"name": task.name, "namespace": task.namespace.name} | {name: _plain(value) for name, value in said.items()}


def _plain(value: Any) -> Any:
    """A time as text, a calendar by its name."""
    if isinstance(value, Calendar):
        return value.name
    return value.isoformat() if isinstance(value, datetime) else value


def lines(changes: Changes) -> Iterator[str]:
    """The difference as a person wants to read it."""
    for task in changes.create:
        yield f"+ {_named(task)}"
    for task, differences in changes.change:
        yield f"~ {_named(task)}"
        for name, (before, after) in differences.items():
            yield f"    {name}: {_shown(before)} → {_shown(after)}"
    for task in changes.delete:
        yield f"- {_named(task)}"
    counts = f"{len(changes.create):,} to create, {len(changes.change):,} to change, {len(changes.delete):,} to delete"
    yield f"{counts}, {changes.same:,} unchanged."


def _named(task: Task) -> str:
    return f"{task.namespace.name}/{task.name}"


def _shown(value: Any) -> str:
    text = yaml.dump(_plain(value), Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=10_000)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if len(text) <= 200 else f"{text[:200]}…"
