"""Plans for tests, with few words."""

from tasks_app.schedule import Schedule, Spec, read


def parse(text: str, timezone: str) -> Schedule:
    """One schedule without options; raises `ScheduleError`."""
    return read((Spec(text, timezone),), key="")
