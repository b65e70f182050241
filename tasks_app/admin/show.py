"""How facts look on admin pages: the same everywhere."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

Show = Callable[[Any, Any], str]
"""A method of an admin that shows something of a row."""
NOTHING = "–"
LONG = "%Y-%m-%d %H:%M:%S"
SHORT = "%b %d %H:%M:%S"
"""For lists with many columns; the year is in the tool tip."""
RUN_COLOURS = {
    "pending": "default",
    "assigned": "info",
    "running": "info",
    "succeeded": "success",
    "failed": "danger",
    "skipped": "warning",
    "cancelled": "warning",
}
TASK_COLOURS = {"active": "success", "paused": "warning", "held": "warning"}
FLOW_COLOURS = {"running": "info", "succeeded": "success", "failed": "danger", "cancelled": "warning"}
WORKER_COLOURS = {"online": "success", "busy": "info", "draining": "warning", "offline": "danger"}
BACKFILL_COLOURS = {"running": "info", "completed": "success", "cancelled": "warning"}
CIRCUIT_COLOURS = {"closed": "success", "half_open": "warning", "open": "danger"}


def label(text: str, colours: dict[str, str]) -> SafeString:
    """The coloured label that `@display(label=…)` makes in lists, for other places."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colours.get(text, "default")})


def moment(at: datetime | None, form: str = LONG) -> str:
    """A time in UTC to the second: `2026-01-31 09:00:00`."""
    if at is None:
        return NOTHING
    utc = at.astimezone(UTC)
    element = '<time class="moment" datetime="{0}" title="{0}">{1}</time>'
    return format_html(element, utc.isoformat(), utc.strftime(form))


def moment_column(name: str, title: str, form: str = LONG) -> Show:
    """A list column (a method of the admin) that shows the time in the field `name`."""

    @display(description=f"{title} (UTC)", ordering=name)
    def column(admin: Any, thing: Any) -> str:
        return moment(getattr(thing, name), form)

    return cast(Show, column)


def moment_fact(name: str, title: str) -> Show:
    """A read-only field (a method of the admin) that shows the time in the field `name`."""

    @display(description=title)
    def fact(admin: Any, thing: Any) -> str:
        return moment(getattr(thing, name), f"{LONG} UTC")

    return cast(Show, fact)


def duration(begin: datetime | None, end: datetime | None) -> str:
    """From `begin` to `end`: `2.3 s`, `2 min 05 s`, `3 h 04 min`; no finer, as reports are recorded in batches."""
    if begin is None or end is None:
        return NOTHING
    seconds = max(end - begin, timedelta()).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.1 else "< 0.1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02} min" if hours else f"{minutes} min {rest:02} s"


def pretty(value: Any) -> str:
    """JSON over several lines, as preformatted text."""
    if value is None or value == {}:
        return NOTHING
    return preformatted(json.dumps(value, indent=2, ensure_ascii=False))


def preformatted(text: str) -> str:
    return format_html('<pre class="facts">{}</pre>', text) if text else NOTHING


def link(thing: Model | None, text: str = "") -> str:
    """A link to the thing's admin page."""
    if thing is None:
        return NOTHING
    address = reverse(f"admin:{thing._meta.app_label}_{thing._meta.model_name}_change", args=[quote(thing.pk)])
    return format_html('<a class="link" href="{}">{}</a>', address, text or thing)


def listing(model: type[Model], text: str, **query: Any) -> str:
    """A link to the admin's list of `model`, filtered by `query`."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=query)
    return format_html('<a class="link" href="{}">{}</a>', address, text)


def counted(number: int, noun: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
