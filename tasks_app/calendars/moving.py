"""Moves of what is due on closed days."""

from collections.abc import Mapping

from tasks_app.calendars.calendar import read
from tasks_app.calendars.rules import Rules
from tasks_app.schedule import Shift


def shift_of(values: Mapping[str, str] | None) -> Shift | None:
    """The move that plain data say: the fields of `Rules`, and `to`. Raises `CalendarError`."""
    if not values:
        return None
    rules = {name: value for name, value in values.items() if name != "to"}
    return Shift(read(Rules(**rules)), values["to"])  # type: ignore[arg-type]
