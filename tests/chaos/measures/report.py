"""Figures are judged by the goals, and shown as a table that a person reads: pure."""

from dataclasses import dataclass

from tests.chaos.measures.base import Figures, Goal, Measure

HEAD = ("measure", "figure", "must", "aim", "seen", "verdict")


@dataclass(frozen=True)
class Row:
    """One figure that has a goal."""

    measure: str
    goal: Goal
    seen: float | None
    """None: there is no figure, as it could not be taken."""

    @property
    def verdict(self) -> str:
        """`aim`, `must`, or `MISSED`."""
        if self.seen is None or self.seen > self.goal.must:
            return "MISSED"
        return "aim" if self.seen <= self.goal.aim else "must"

    def cells(self) -> tuple[str, ...]:
        goal = self.goal
        seen = "–" if self.seen is None else f"{self.seen:.3g} {goal.unit}"
        limits = (f"≤ {limit:g} {goal.unit}" for limit in (goal.must, goal.aim))
        return (self.measure, goal.figure, *limits, seen, self.verdict)


def judge(measure: Measure, title: str, figures: Figures) -> list[Row]:
    """A row for each goal of the measure."""
    return [Row(title, goal, figures.get(goal.figure)) for goal in measure.goals]


def table(rows: list[Row]) -> str:
    """All rows, with a head."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
