"""How slots are shared out between namespaces. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who wants slots."""

    active: int
    """Slots it has already."""
    weight: int
    """With 2 it should have twice as many as one with 1."""


def shares(slots: int, claimants: Mapping[int, Claimant]) -> dict[int, int]:
    """How many of `slots` each may take, so that afterwards all have the same in proportion to their weights.

    Who has more than that already gets none. (Weighted max-min fairness by water filling: see Bertsekas and Gallager,
    Data Networks, section 6.5.2.) The shares add up to `slots`, if anybody wants any.
    """
    found = dict.fromkeys(claimants, 0)
    if not claimants:
        return found
    level = _level(slots, claimants.values())
    wanted = {key: max(0.0, level * each.weight - each.active) for key, each in claimants.items()}
    found = {key: int(number + 1e-9) for key, number in wanted.items()}
    # What is left by rounding goes to those who lose most by it, and among equals to those who have least.
    order = sorted(wanted, key=lambda key: (found[key] - wanted[key], claimants[key].active / claimants[key].weight))
    for key in order[: slots - sum(found.values())]:
        found[key] += 1
    return found


def _level(slots: int, claimants: Iterable[Claimant]) -> float:
    """What all have for each unit of weight, once `slots` are given to those who have less."""
    lowest = sorted(claimants, key=lambda each: each.active / each.weight)
    active = weight = 0
    level = 0.0
    for number, each in enumerate(lowest):
        active, weight = active + each.active, weight + each.weight
        level = (slots + active) / weight
        following = lowest[number + 1] if number + 1 < len(lowest) else None
        if following is None or level <= following.active / following.weight:
            break
    return level
