"""One pass: a world, users in it, and faults that come and go by a seed; then the judgement."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chaos import faults, history
from tests.chaos.checker import Finding, check, summary
from tests.chaos.history import Recorder
from tests.chaos.traffic import ORDER, Traffic
from tests.chaos.windows import TRAFFIC, Limits
from tests.chaos.world import LEASE_SECONDS, SLOTS, WORKERS, Member, World, opened
from tests.waiting import wait_until

NotInTime = pytest.fail.Exception
RATE = 4.0
"""Triggers a second."""


@dataclass(frozen=True)
class Pace:
    """How long a pass waits, in seconds."""

    calm: float = 20.0
    """Before each fault."""
    heal: float = 60.0
    """A world that does not answer by then is not healed."""
    quiet: float = 120.0
    """A run that has not ended by then never will."""


@dataclass(frozen=True)
class Wish:
    """What a pass shall be."""

    broker: str = "streams"
    database: str = "postgresql"
    faults: tuple[str, ...] = ()
    """Names; none: all that are possible here."""
    mixed: bool = False
    """Two faults at the same time now and then, in any order; else one after the other, each as often."""
    seconds: float = 180.0
    seed: int = 0
    plant: str = ""
    """A bug that every process of ours has; see `plants`."""
    order: tuple[str, ...] = ORDER
    """The tasks that are triggered, one after the other."""
    pace: Pace = Pace()


@dataclass(frozen=True)
class Verdict:
    """What became of it."""

    wish: Wish
    findings: list[Finding]
    figures: dict[str, Any]


def run(wish: Wish, folder: Path, say: Callable[[str], None] = print, limits: Limits = TRAFFIC) -> Verdict:
    """Carry out one pass in `folder`; the history stays there."""
    recorder = Recorder(folder, wish.seed, {f"worker-{n + 1}": SLOTS for n in range(WORKERS)}, LEASE_SECONDS)

    def killed(member: Member) -> None:
        recorder.add(history.Kill(member.role, member.name, recorder.now()))

    names = _names(wish)
    world = World(
        folder / "world", wish.broker, wish.database, plant=wish.plant, on_kill=killed, clocks="clocks" in names
    )
    findings: list[Finding] = []
    heals: list[float] = []
    with opened(world):
        traffic = Traffic(world.stack, recorder, RATE, wish.order)
        traffic.begin()
        try:
            heals += _torment(world, recorder, wish, names, say)
        except NotInTime as error:
            findings.append(Finding("never_healed", str(error)))
        traffic.stop()
        try:
            # What was not healed in time is not waited for once more.
            quiet = 0.0 if findings else wish.pace.quiet
            wait_until(lambda: world.healed() and not traffic.open_runs(), quiet, "every run has ended")
        except NotInTime as error:
            findings.append(Finding("never_quiet", str(error)))
        traffic.read_all()
        restarts = {member.name: member.restarts for member in world.members}
    recorder.close()
    found = history.load(folder)
    figures = summary(found) | {"heal_seconds": heals, "restarts": restarts}
    return Verdict(wish, findings + check(found, limits), figures)


def _names(wish: Wish) -> list[str]:
    """The faults that there will be."""
    possible = faults.possible(wish.database)
    return [name for name in wish.faults or possible if name in possible]


def _torment(
    world: World, recorder: Recorder, wish: Wish, names: list[str], say: Callable[[str], None]
) -> Iterator[float]:
    """Calm and faults by turns until the time is up; yields how long each healing took, in seconds."""
    choice = random.Random(wish.seed)
    turn = 0
    end = time.monotonic() + wish.seconds
    while names and time.monotonic() + wish.pace.calm + LEASE_SECONDS < end:
        time.sleep(wish.pace.calm)
        some = [choice.choice(names) for _ in range(choice.randint(1, 2))] if wish.mixed else [names[turn % len(names)]]
        turn += 1
        fault = _one(world, recorder, sorted(set(some)), choice)
        wait_until(world.healed, wish.pace.heal, f"the world is healed after: {fault.text}")
        took = recorder.now() - fault.end
        recorder.add(replace(fault, end=recorder.now()))
        say(f"  {fault.end - fault.begin:4.0f} s {fault.text}; healed after {took:.1f} s")
        yield took
    time.sleep(max(0.0, end - time.monotonic()))


def _one(world: World, recorder: Recorder, names: list[str], choice: random.Random) -> history.Fault:
    """The fault, from its begin to its end; the world has yet to heal."""
    seconds = faults.lasting(names, choice)
    begin = recorder.now()
    with faults.several(names, world, choice) as text:
        time.sleep(max(0.0, seconds - (recorder.now() - begin)))
    return history.Fault("+".join(names), text, begin, recorder.now())
