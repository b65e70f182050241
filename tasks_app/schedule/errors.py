"""What is said of a schedule that cannot be used."""


class ScheduleError(ValueError):
    """A schedule that cannot be used; `field` names what to change, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def refused(message: str) -> ScheduleError:
    """An error of the schedule's text itself."""
    return ScheduleError("schedule", message)
