"""One gate, as a person is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from tasks_app.gates import Need, World
from tasks_app.models import TaskRun
from workers_app import registry
from workers_app.models import WorkerInfo


@dataclass(frozen=True, slots=True)
class Line:
    """A gate's current value."""

    gate: str
    open: bool
    value: str
    """A sentence."""
    since: datetime | None = None
    """It has been shut."""
    opens: str = ""
    """What would open it; only where it is shut."""


@dataclass
class Question:
    """Why does this run not start?"""

    run: TaskRun
    now: datetime
    world: World
    needs: dict[str, list[Need]] = field(default_factory=dict)
    """By gate, as those decide who assign runs."""

    @cached_property
    def workers(self) -> list[WorkerInfo]:
        """Those that may be given runs now."""
        return list(registry.available(self.now))

    def since(self, key: str) -> datetime | None:
        """The run has waited at this very gate."""
        return self.run.gate_since if self.run.gate == key else None


def moment(at: datetime | None) -> str:
    """As a person reads it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "–"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
