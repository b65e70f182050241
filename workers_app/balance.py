"""Which worker gets the next run. Pure: candidates and a strategy in, one candidate out.

A strategy only ranks workers that have a free slot. A new one is a function of the same shape
plus one line in `STRATEGIES`. The caller updates `free` and `last_assigned` after each choice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Candidate:
    """A worker that may take a run."""

    id: int
    free: int
    """Slots without a run."""
    max_tasks: int
    """Slots in all."""
    last_assigned: float
    """Any clock: the smaller, the longer ago."""
    labels: Mapping[str, str] = field(default_factory=dict)


Strategy = Callable[[Sequence[Candidate], str], Candidate]
"""Takes candidates with free slots (at least one) and the task's identity, for strategies that stick to a worker."""


def least_loaded(candidates: Sequence[Candidate], key: str) -> Candidate:
    """The one with the largest share of free slots; among equals, the one assigned longest ago."""
    return min(candidates, key=lambda each: (-each.free / each.max_tasks, each.last_assigned, each.id))


def round_robin(candidates: Sequence[Candidate], key: str) -> Candidate:
    """The one assigned longest ago, however loaded it is."""
    return min(candidates, key=lambda each: (each.last_assigned, each.id))


STRATEGIES: dict[str, Strategy] = {"least_loaded": least_loaded, "round_robin": round_robin}


def choose(
    strategy: str, candidates: Sequence[Candidate], key: str, preferred: Mapping[str, str] | None = None
) -> Candidate | None:
    """The worker for a run of task `key`, or None when no candidate has a free slot.

    Of those that have one, only the ones with the most labels of `preferred` are ranked.
    """
    able = [each for each in candidates if each.free > 0]
    if preferred and able:
        wanted = [sum(each.labels.get(name) == value for name, value in preferred.items()) for each in able]
        able = [each for each, number in zip(able, wanted, strict=True) if number == max(wanted)]
    return STRATEGIES[strategy](able, key) if able else None
