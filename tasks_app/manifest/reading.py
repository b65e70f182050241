"""A file of tasks, read and checked: the mistakes of all its tasks are said, each with its place."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField

from access_app.models import Namespace
from tasks_app.manifest.fields import FIELDS, NAMES
from tasks_app.models import Calendar, Task

TOP = ("namespace", "tasks")


class ManifestError(Exception):
    """The file cannot be used; `problems` says why, one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Loader(yaml.CSafeLoader):
    """Refuses keys that come twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, times in keys.items():
            if times > 1:
                raise yaml.constructor.ConstructorError(None, None, f"“{key}” comes {times} times", node.start_mark)
        return super().construct_mapping(node, deep)


def read(text: str) -> list[Task]:
    """The tasks of a file, not stored; raises `ManifestError`."""
    return tasks_of(_document(text))


def tasks_of(document: dict[str, Any]) -> list[Task]:
    """The same of what such a file has in it."""
    entries = _entries(document)
    named: dict[str, dict[str, Any]] = {
        "namespace": {each.name: each for each in Namespace.objects.all()},
        "calendar": {each.name: each for each in Calendar.objects.select_related("namespace")},
    }
    problems: list[str] = []
    tasks: list[Task] = []
    for place, entry in entries:
        found = Task(namespace_id=None)  # its default would be looked up for each
        mistakes = list(_fill(found, entry, named))
        problems += [f"{place}: {mistake}" for mistake in mistakes]
        tasks.append(found)
    twice = [key for key, times in Counter((task.namespace_id, task.name) for task in tasks).items() if times > 1]
    problems += [f"{name}: This name comes more than once in its namespace." for _, name in twice if name]
    if problems:
        raise ManifestError(problems)
    return tasks


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        raise ManifestError([f"This is no YAML that can be read: {' '.join(str(error).split())}"]) from None
    if not isinstance(document, dict) or not isinstance(document.get("tasks"), list):
        raise ManifestError(["The file must be a mapping with “tasks”, a list of tasks, and perhaps “namespace”."])
    unknown = [str(key) for key in document if key not in TOP]
    if unknown:
        raise ManifestError([f"{name}: There is no such key; there are {' and '.join(TOP)}." for name in unknown])
    return document


def _entries(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each task with what tells the reader where it is."""
    common = {"namespace": document["namespace"]} if document.get("namespace") is not None else {"namespace": "default"}
    found = []
    for number, entry in enumerate(document["tasks"], start=1):
        if not isinstance(entry, dict):
            raise ManifestError([f"task {number}: This must be a mapping."])
        found.append((str(entry.get("name") or f"task {number}"), common | entry))
    return found


def _fill(task: Task, entry: dict[str, Any], named: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Give `task` what `entry` says; yield what is wrong with it. `named`: what stands there by its name."""
    missing = [name for name in named if entry.get(name) is not None and not _found(named[name], entry[name])]
    if missing:
        yield from (f"{name}: There is no {name} “{entry[name]}”. Create it first." for name in missing)
        return
    unknown = [str(name) for name in entry if name not in (*NAMES, "name", "namespace")]
    if unknown:
        yield from (
            f"{name}: There is no such field. Known fields: name, namespace, {', '.join(NAMES)}." for name in unknown
        )
        return
    for name, value in entry.items():
        setattr(task, name, _found(named[name], value) if name in named else _plain(name, value))
    try:
        task.clean_fields(exclude=named)
        task.clean(chained=False)  # what it depends on may be further down
        task.check_parents()
    except ValidationError as error:
        yield from (f"{name}: {message}" for name, messages in error.message_dict.items() for message in messages)


def _found(known: dict[str, Any], name: Any) -> Any:
    return known.get(name) if isinstance(name, str) else None


def _plain(name: str, value: Any) -> Any:
    """Times of YAML have no offset where they are in UTC."""
    if isinstance(value, datetime) and isinstance(FIELDS.get(name), DateTimeField) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
