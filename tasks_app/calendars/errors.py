"""What is said of a calendar that cannot be used."""

from tasks_app.schedule import ScheduleError


class CalendarError(ScheduleError):
    """A calendar that cannot be used; `field` names what to change of it."""
