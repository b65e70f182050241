"""Which execution stands for which nominal time: each target needs one of its own, begun in the target's window.

The rule is that of the Jepsen analysis of Chronos (2015, https://aphyr.com/posts/326-jepsen-chronos): what the
scheduler says an execution was for counts for nothing, only when it began. There a constraint solver looks for the
assignment. Windows are intervals and starts are points, so a greedy choice finds a largest one (Glover, "Maximum
matching in a convex bipartite graph", 1967): go through the starts in order of time, and give each to the target whose
window is open and closes first.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple


class Target(NamedTuple):
    """A nominal time, and until when what it stands for must have begun; both moments are in the window."""

    nominal: float
    deadline: float
    name: str = ""


class Matching(NamedTuple):
    """Every target is in a pair or unmatched, every start is in a pair or left over."""

    pairs: list[tuple[Target, float]]
    unmatched: list[Target]
    left: list[float]


def match(targets: Iterable[Target], starts: Iterable[float]) -> Matching:
    """As many pairs as there can be."""
    coming = sorted(targets, reverse=True)
    opened: list[tuple[float, Target]] = []
    found = Matching([], [], [])
    for start in sorted(starts):
        while coming and coming[-1].nominal <= start:
            target = coming.pop()
            heappush(opened, (target.deadline, target))
        while opened and opened[0][0] < start:
            found.unmatched.append(heappop(opened)[1])
        if opened:
            found.pairs.append((heappop(opened)[1], start))
        else:
            found.left.append(start)
    found.unmatched.extend([target for _, target in opened] + coming)
    return found
