"""Schedules as plain data: JSON in, `Spec` out."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from tasks_app.schedule.errors import ScheduleError
from tasks_app.schedule.reading import Spec

_TYPES: dict[str, tuple[type, str]] = {
    "every_nth": (int, "a whole number"),
    "spread_seconds": (int, "a whole number"),
    "starts_at": (datetime, "an ISO 8601 time, such as 2026-01-01T00:00:00Z"),
    "ends_at": (datetime, "an ISO 8601 time, such as 2026-01-01T00:00:00Z"),
}
SPEC_FIELDS = tuple(field.name for field in fields(Spec))


def spec_of(values: Mapping[str, Any], timezone: str) -> Spec:
    """What `values` say; `timezone` unless they name another. Times without an offset are in UTC.

    Raises `ScheduleError` for what no schedule has, and for values of another type.
    """
    unknown = [name for name in values if name not in SPEC_FIELDS]
    if unknown:
        raise ScheduleError(str(unknown[0]), f"There is no such field. Known fields: {', '.join(SPEC_FIELDS)}.")
    read = {name: _value(name, value) for name, value in values.items()}
    return Spec(**{"timezone": timezone} | read)


def written(spec: Spec) -> dict[str, Any]:
    """`spec` as plain data, without what it leaves at its default; `spec_of` reads it."""
    plain = Spec()
    said = {name: getattr(spec, name) for name in SPEC_FIELDS if getattr(spec, name) != getattr(plain, name)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}


def _value(name: str, value: Any) -> Any:
    kind, wanted = _TYPES.get(name, (str, "text"))
    if kind is datetime:
        value = None if value in (None, "") else _moment(name, value, wanted)
    elif not isinstance(value, kind) or isinstance(value, bool):
        raise ScheduleError(name, f"This must be {wanted}.")
    return value


def _moment(name: str, value: Any, wanted: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ScheduleError(name, f"This must be {wanted}.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
