"""One pass: a world, users in it, and faults that come and go by a seed; then the judgement."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import faults, history
from tests.chaos.checker import Finding, check, summary
from tests.chaos.history import Recorder
from tests.chaos.traffic import Traffic
from tests.chaos.windows import TRAFFIC, Limits
from tests.chaos.world import LEASE_SECONDS, SLOTS, WORKERS, Member, World, opened
from tests.waiting import wait_until

NotInTime = pytest.fail.Exception
CALM_SECONDS = 20.0
FAULT_SECONDS = (10.0, 30.0)
FROZEN_SECONDS = 3 * LEASE_SECONDS
HEAL_SECONDS = 60.0
"""A world that does not answer by then is not healed."""
QUIET_SECONDS = 120.0
RATE = 4.0
"""Triggers a second."""


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

    settable = not wish.faults or "clocks" in wish.faults
    world = World(folder / "world", wish.broker, wish.database, plant=wish.plant, on_kill=killed, clocks=settable)
    findings: list[Finding] = []
    heals: list[float] = []
    with opened(world):
        traffic = Traffic(world.stack, recorder, RATE)
        traffic.begin()
        try:
            heals += _torment(world, recorder, wish, say)
        except NotInTime as error:
            findings.append(Finding("never_healed", str(error)))
        traffic.stop()
        try:
            wait_until(lambda: world.healed() and not traffic.open_runs(), QUIET_SECONDS, "every run has ended")
        except NotInTime as error:
            findings.append(Finding("never_quiet", str(error)))
        traffic.read_all()
        restarts = {member.name: member.restarts for member in world.members}
    recorder.close()
    found = history.load(folder)
    figures = summary(found) | {"heal_seconds": heals, "restarts": restarts}
    return Verdict(wish, findings + check(found, limits), figures)


def _torment(world: World, recorder: Recorder, wish: Wish, say: Callable[[str], None]) -> Iterator[float]:
    """Calm and faults by turns until the time is up; yields how long each healing took, in seconds."""
    choice = random.Random(wish.seed)
    possible = faults.possible(world)
    names = [name for name in wish.faults or possible if name in possible]
    turn = 0
    end = time.monotonic() + wish.seconds
    while names and time.monotonic() + CALM_SECONDS + FAULT_SECONDS[0] < end:
        time.sleep(CALM_SECONDS)
        some = [choice.choice(names) for _ in range(choice.randint(1, 2))] if wish.mixed else [names[turn % len(names)]]
        turn += 1
        yield _one(world, recorder, sorted(set(some)), choice, say)
    time.sleep(max(0.0, end - time.monotonic()))


def _one(
    world: World, recorder: Recorder, names: list[str], choice: random.Random, say: Callable[[str], None]
) -> float:
    seconds = FROZEN_SECONDS if "freeze" in names else choice.uniform(*FAULT_SECONDS)
    begin = recorder.now()
    fault: AbstractContextManager[str] = faults.several(names, world, choice)
    with fault as text:
        time.sleep(max(0.0, seconds - (recorder.now() - begin)))
    healed = recorder.now()
    wait_until(world.healed, HEAL_SECONDS, f"the world is healed after: {text}")
    took = recorder.now() - healed
    recorder.add(history.Fault("+".join(names), text, begin, recorder.now()))
    say(f"  {seconds:4.0f} s {text}; healed after {took:.1f} s")
    return took
