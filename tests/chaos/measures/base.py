"""What a measure is: a name, how it is taken, and how good its figures must be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
"""Plain data, times in seconds. A figure with a goal is a number, or None where there is none."""


@dataclass(frozen=True)
class Setting:
    """How a measure shall be taken."""

    broker: str
    scale: float
    """A factor on counts and durations; 1 is the whole measure."""
    folder: Path
    say: Callable[[str], None]

    def count(self, full: int, least: int = 1) -> int:
        """How many times, where the whole measure has `full`."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float, least: float) -> float:
        """How long, where the whole measure takes `full` seconds."""
        return max(least, full * self.scale)


@dataclass(frozen=True)
class Goal:
    """A figure must be no more than `must`, and should be no more than `aim`."""

    figure: str
    must: float
    aim: float
    unit: str = "s"


@dataclass(frozen=True)
class Measure:
    """One of the things that are measured."""

    name: str
    about: str
    take: Callable[[Setting], Figures]
    goals: tuple[Goal, ...]
    only_named: bool = False
    """It takes long, and is taken only when asked for by name."""
