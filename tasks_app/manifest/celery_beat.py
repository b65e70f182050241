"""django-celery-beat's rows as what a file of tasks has in it: shell commands that call the Celery tasks."""

import json
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import ParseException, crontab
from django.conf import settings
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from tasks_app.manifest.celery_crontab import schedule_of

_UNITS = {"days": "d", "hours": "h", "minutes": "m", "seconds": "s"}


class _LeftOut(Exception):
    """The row cannot be taken over; the message ends the sentence “Left out, as …”."""


@dataclass(frozen=True, slots=True)
class Call:
    """How a worker calls somebody's Celery tasks."""

    app: str
    program: str = "celery"
    cwd: str = ""


@dataclass(slots=True)
class Rows:
    """What was read: entries as `tasks` of a file, and what a person should know of them."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken: list[PeriodicTask] = field(default_factory=list)
    """The rows that `tasks` stand for, in the same order."""


def read(rows: Iterable[PeriodicTask], call: Call, now: datetime) -> Rows:
    """Rows that no task can stand for are left out, with a note."""
    found = Rows()
    names: Counter[str] = Counter()
    for row in rows:
        try:
            entry = _entry(row, call, now)
        except _LeftOut as error:
            found.notes.append(f"{row.name}: Left out, as {error}.")
            continue
        found.notes += [f"{row.name}: {note}" for note in _notes(row)]
        names[entry["name"]] += 1
        count = names[entry["name"]]
        entry["name"] += f"-{count}" if count > 1 else ""
        found.tasks.append(entry)
        found.taken.append(row)
    return found


def _entry(row: PeriodicTask, call: Call, now: datetime) -> dict[str, Any]:
    if row.expires and row.expires <= now:
        raise _LeftOut("it has expired")
    return {
        "name": _name(row),
        "executor": "shell",
        "command": shlex.join(_command(row, call)),
        **({"config": {"cwd": call.cwd}} if call.cwd else {}),
        **({"description": row.description} if row.description else {}),
        **_schedule(row, now),
        **({"starts_at": row.start_time} if row.start_time else {}),
        **({"ends_at": row.expires} if row.expires else {}),
    }


def _name(row: PeriodicTask) -> str:
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in row.name)
    return " ".join(visible.split())[:190] or f"periodic-task-{row.pk}"


def _command(row: PeriodicTask, call: Call) -> Iterator[str]:
    yield from (call.program, "-A", call.app, "call", row.task)
    for option, text, kind in (("--args", row.args, list), ("--kwargs", row.kwargs, dict)):
        if value := _json(option, text, kind):
            yield from (option, json.dumps(value, ensure_ascii=False))
    for option in ("queue", "exchange", "routing_key"):
        if value := getattr(row, option):
            yield from (f"--{option.replace('_', '-')}", value)
    if row.expire_seconds:
        yield from ("--expires", str(row.expire_seconds))


def _json(option: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text or "null")
    except ValueError:
        raise _LeftOut(f"its {option.strip('-')} are no JSON") from None
    if value and not isinstance(value, kind):
        raise _LeftOut(f"its {option.strip('-')} are no JSON {'list' if kind is list else 'object'}")
    return value


def _notes(row: PeriodicTask) -> Iterator[str]:
    if row.priority is not None:
        yield f"Its priority ({row.priority}) is not kept, as `celery call` has no such option."
    if row.headers and row.headers.strip() not in ("{}", "null"):
        yield "Its headers are not kept, as `celery call` has no such option."


def _schedule(row: PeriodicTask, now: datetime) -> dict[str, Any]:
    if row.solar:
        raise _LeftOut("no schedule here follows the sun")
    if row.clocked:
        return _clocked(row.clocked.clocked_time, now)
    if row.one_off:
        raise _LeftOut("it runs only once, whenever it is enabled; a clocked row says when")
    if row.interval:
        return _interval(row.interval.every, row.interval.period, row.start_time)
    if row.crontab:
        return _crontab(row.crontab)
    raise _LeftOut("it has no schedule")


def _clocked(time: datetime, now: datetime) -> dict[str, Any]:
    if time <= now:
        raise _LeftOut("its time has passed")
    return {"schedule": f"@at {time.isoformat(timespec='seconds')}"}


def _interval(every: int, period: str, start: datetime | None) -> dict[str, Any]:
    if period not in _UNITS or not timedelta(seconds=1) <= timedelta(**{period: every}) <= timedelta(days=366):
        raise _LeftOut("its interval is not one of whole seconds, a second to 366 days")
    phase = f" from {start.isoformat(timespec='seconds')}" if start else ""
    return {"schedule": f"@every {every}{_UNITS[period]}{phase}"}


def _crontab(row: CrontabSchedule) -> dict[str, Any]:
    try:
        written: crontab = row.schedule
    except (ValueError, ParseException) as error:
        raise _LeftOut(f"its crontab cannot be read ({error})") from None
    zone = str(row.timezone) if settings.DJANGO_CELERY_BEAT_TZ_AWARE else settings.CELERY_TIMEZONE
    schedule = schedule_of(written)
    if schedule is None:
        raise _LeftOut("it fires where day and weekday both match, at more times of day than one rule can have")
    return {"schedule": schedule, "timezone": zone}
