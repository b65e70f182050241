"""What is said of a calendar that cannot be used."""


class CalendarError(ValueError):
    """A calendar that cannot be used; `field` names what to change, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
