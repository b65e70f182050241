"""Rounds of several contestants in turn, so that a drift of the machine hits all of them alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks import figures


@dataclass(frozen=True)
class Round:
    """So many runs, from the first one handed in to the last result stored."""

    runs: int
    seconds: float
    cpu: dict[str, float]
    """Who → CPU seconds."""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def per_minute(self) -> float:
        return self.runs / self.seconds * 60

    @property
    def cpu_ms(self) -> dict[str, float]:
        """CPU ms of each run, by who used it."""
        return {name: seconds / self.runs * 1000 for name, seconds in self.cpu.items()}


class Contestant(Protocol):
    name: str
    runs: int
    """In one round."""

    def round(self, runs: int) -> Round:
        """Raises `stack.Failed` when not every run has ended well."""


def alternate(
    contestants: Sequence[Contestant], rounds: int, warm_up: int, tell: Callable[[str], None]
) -> dict[str, list[Round]]:
    """Name → its rounds: one small round each to warm up, then a, b, c, a, b, c …"""
    for each in contestants:
        each.round(min(warm_up, each.runs))
    done: dict[str, list[Round]] = {each.name: [] for each in contestants}
    for number in range(rounds):
        for each in contestants:
            done[each.name].append(each.round(each.runs))
            tell(f"{each.name}, round {number + 1} of {rounds}: {done[each.name][-1].per_minute:,.0f} a minute")
    return done


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        "per_minute": figures.figure([each.per_minute for each in rounds], 0),
        "runs": rounds[0].runs,
        "cpu_ms_per_run": figures.figures([each.cpu_ms for each in rounds]),
        **rounds[0].facts,
    }


def ratio(ours: Sequence[Round], theirs: Sequence[Round]) -> dict[str, Any]:
    """How many times more runs a minute, round by round."""
    return figures.figure([our.per_minute / their.per_minute for our, their in zip(ours, theirs, strict=True)], 2)


def cpu_ratio(ours: Sequence[Round], theirs: Sequence[Round]) -> dict[str, Any]:
    """How many times our CPU time a run of theirs takes, everything counted; steadier than the rates' ratio."""
    pairs = zip(ours, theirs, strict=True)
    return figures.figure([sum(their.cpu_ms.values()) / sum(our.cpu_ms.values()) for our, their in pairs], 2)
