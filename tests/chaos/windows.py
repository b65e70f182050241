"""What the checker allows, and until when a run must have started: pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

from tests.chaos.history import Fault, Plan


@dataclass(frozen=True)
class Limits:
    """All in seconds."""

    healthy_seconds: float = 2.0
    """A run starts so soon after it was due, when no fault is felt."""
    fault_seconds: float = 30.0
    """And so soon after the end of the faults that were felt."""
    heal_seconds: float = 30.0
    """A fault is felt until so long after its end."""
    still_seconds: float = 32.0
    """While there is no fault, and something is due, something starts within so long, whatever has been before."""
    command_seconds: float = 5.0
    """No command works longer, unless it stands still."""
    again_seconds: float = 5.0
    """No run waits longer for its next attempt after one that failed by itself."""
    orphan_seconds: float = 1.0
    """What a worker that is killed has just started may begin so much later still."""
    early_seconds: float = 0.005
    """By so much the clocks that tell a nominal time and a start may differ."""
    same_seconds: float = 0.001
    """Nominal times of a task that differ by no more are the same."""


DEFAULT = Limits()
TRAFFIC = Limits(command_seconds=25.0, still_seconds=15.0)
"""For the commands that `traffic` has run, under faults that end when the world is seen to be healed."""


def nominal_times(plan: Plan, limits: Limits) -> list[float]:
    """When the task is due, from the first to the last."""
    if not plan.every:
        return []
    first = ceil((plan.first - limits.same_seconds) / plan.every)
    last = floor((plan.last + limits.same_seconds) / plan.every)
    return [number * plan.every for number in range(first, last + 1)]


def touches(fault: Fault, since: float, until: float, limits: Limits) -> bool:
    """Whether the fault is felt between two moments: it is from its begin until `heal_seconds` after its end."""
    return fault.begin <= until and since <= fault.end + limits.heal_seconds


def deadline(t: float, faults: Iterable[Fault], limits: Limits, *, work: float = 0.0, spare: float = 0.0) -> float:
    """The last moment to start for what is due at `t`.

    That is `healthy_seconds` later. A fault that begins before that moment, and is felt at `t` or later, moves it to
    `fault_seconds` after the fault's end (or after `t`, should the fault have ended before); so faults may form a
    chain. `work`: a fault moves it, too, when it begins within so many seconds after it. `spare`: seconds added to all.
    """
    until = t + limits.healthy_seconds + spare
    for fault in sorted(faults, key=lambda each: each.begin):
        if touches(fault, t, until + work, limits):
            until = max(until, max(t, fault.end) + limits.fault_seconds + spare)
    return until


def complete_deadline(t: float, failures: int, faults: Iterable[Fault], limits: Limits) -> float:
    """The last moment to start for the execution that completes.

    It may be the second one, when the first was hit by a fault while it worked, and later by as much as the run's
    own `failures` may have taken.
    """
    spare = failures * (limits.command_seconds + limits.again_seconds)
    return deadline(t, faults, limits, work=limits.command_seconds, spare=spare)
