"""Which worker gets the next run. Pure: candidates, a strategy and what is known of the run in, one candidate out.

A strategy only ranks workers that may take the run and have a free slot. A new one is a function of the same shape
plus one line in `BUILT_IN`; a package adds its own by an entry point in the group `scheduler.strategies` that names
the function. The caller updates `free` and `last_assigned` after each choice.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib.metadata import entry_points

UNKNOWN = 1000.0
"""Percent, of a worker that does not say how busy its machine is: such a one comes last."""


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
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    cpu_percent: float | None = None
    memory_percent: float | None = None
    """How much of its machine is in use."""

    @property
    def weight(self) -> float:
        """What its label `weight` says, else 1."""
        try:
            weight = float(self.labels.get("weight", 1))
        except ValueError:
            return 1.0
        return weight if 0 < weight < math.inf else 1.0


@dataclass(frozen=True, slots=True)
class Use:
    """What a worker has had of a task lately."""

    runs: int = 0
    last: float = 0.0
    """When it was given the last; any clock."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The run that wants a worker."""

    task: str
    """Its task's identity, for strategies that stick to a worker."""
    run: str = ""
    attempt: int = 1
    uses: Mapping[int, Use] = field(default_factory=dict)
    """By worker; only for strategies in `REMEMBERING`."""


Strategy = Callable[[Sequence[Candidate], Wish], Candidate]
"""Takes candidates with free slots, at least one."""


def least_loaded(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The one with the largest share of free slots; among equals, the one assigned longest ago."""
    return min(candidates, key=_load)


def round_robin(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The one assigned longest ago, however loaded it is."""
    return min(candidates, key=lambda each: (each.last_assigned, each.id))


def weighted(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """By chance, in proportion to the weights that workers have as their label `weight`."""
    return _rendezvous(candidates, f"{wish.run}/{wish.attempt}", lambda each: each.weight)


def random(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """By chance, all the same."""
    return _rendezvous(candidates, f"{wish.run}/{wish.attempt}", lambda each: 1.0)


def consistent_hash(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """Always the same for one task, while it is there and has a free slot; few tasks move when workers come or go."""
    return _rendezvous(candidates, wish.task, lambda each: each.weight)


def least_frequently_used(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The one that has had the fewest of the task's last runs."""
    return min(candidates, key=lambda each: (wish.uses.get(each.id, Use()).runs, *_load(each)))


def least_recently_used(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The one that has had none of the task's runs for longest."""
    return min(candidates, key=lambda each: (wish.uses.get(each.id, Use()).last, *_load(each)))


def failover(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The first by name; each further attempt of a run takes the next one."""
    ordered = sorted(candidates, key=_place)
    return ordered[(wish.attempt - 1) % len(ordered)]


def busy_over(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The first by name that runs nothing at all; where all do, the least loaded."""
    idle = [each for each in candidates if each.free >= each.max_tasks]
    return min(idle, key=_place) if idle else least_loaded(candidates, wish)


def first(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The first by name, until it is full."""
    return min(candidates, key=_place)


def last(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The last by name, until it is full."""
    return max(candidates, key=_place)


def least_cpu(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The one whose machine's processors are least in use, to ten percent; among equals, the least loaded."""
    return min(candidates, key=lambda each: (_tens(each.cpu_percent), *_load(each)))


def least_memory(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """The one whose machine's memory is least in use, to ten percent; among equals, the least loaded."""
    return min(candidates, key=lambda each: (_tens(each.memory_percent), *_load(each)))


def _load(each: Candidate) -> tuple[float, float, int]:
    return (-each.free / each.max_tasks, each.last_assigned, each.id)


def _place(each: Candidate) -> tuple[str, int]:
    return (each.name, each.id)


def _tens(percent: float | None) -> int:
    """Workers tell how busy they are every two seconds; meanwhile it is the free slots that tell them apart."""
    return int((UNKNOWN if percent is None else percent) // 10)


def _rendezvous(candidates: Sequence[Candidate], key: str, weight: Callable[[Candidate], float]) -> Candidate:
    """Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights: Schindelhauer and Schomaker 2005).

    Each worker draws a number from its name and the key; where one comes or goes, only what it draws highest moves.
    """

    def score(each: Candidate) -> float:
        digest = blake2b(f"{each.name}\0{key}".encode(), digest_size=8).digest()
        return -weight(each) / math.log((int.from_bytes(digest) + 1) / (2**64 + 2))

    return max(candidates, key=lambda each: (score(each), -each.id))


BUILT_IN: dict[str, Strategy] = {
    "least_loaded": least_loaded,
    "round_robin": round_robin,
    "weighted": weighted,
    "random": random,
    "consistent_hash": consistent_hash,
    "least_frequently_used": least_frequently_used,
    "least_recently_used": least_recently_used,
    "failover": failover,
    "busy_over": busy_over,
    "first": first,
    "last": last,
    "least_cpu": least_cpu,
    "least_memory": least_memory,
    "sharding_broadcast": least_loaded,  # of a part whose own worker is gone; the others are meant for one
}
REMEMBERING = frozenset({"least_frequently_used", "least_recently_used"})
"""These need to know which workers a task has used."""


@cache
def strategies() -> dict[str, Strategy]:
    """All known strategies by name; ours are not replaced."""
    found = {entry.name: entry.load() for entry in entry_points(group="scheduler.strategies")}
    return {**found, **BUILT_IN}


def choose(
    strategy: str, candidates: Sequence[Candidate], wish: Wish, preferred: Mapping[str, str] | None = None
) -> Candidate | None:
    """The worker for a run, or None when no candidate has a free slot.

    Of those that have one, only the ones with the most labels of `preferred` are ranked. Raises `KeyError` for an
    unknown strategy.
    """
    able = [each for each in candidates if each.free > 0]
    if preferred and able:
        wanted = [sum(each.labels.get(name) == value for name, value in preferred.items()) for each in able]
        able = [each for each, number in zip(able, wanted, strict=True) if number == max(wanted)]
    return strategies()[strategy](able, wish) if able else None
