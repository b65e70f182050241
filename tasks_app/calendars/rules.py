"""A calendar as it is written down."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["blackout", "inclusive"]
KINDS: tuple[Kind, ...] = ("blackout", "inclusive")


@dataclass(frozen=True, slots=True)
class Rules:
    """A calendar as it is written down."""

    closed: str = ""
    open: str = ""
    kind: Kind = "blackout"
    """blackout: open but for what is closed. inclusive: closed but for what is open."""
    timezone: str = ""
    """Whose days and hours are meant; empty: the task's."""
