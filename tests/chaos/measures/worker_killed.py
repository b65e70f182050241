"""A worker is killed: how soon is what it ran started elsewhere?"""

import random
import time

from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.numbers import percentile
from tests.chaos.world import LEASE_SECONDS, Member, World, opened
from tests.waiting import wait_until

KILLS = 100
WORKERS, KILLED, RUNS = 8, 4, 16
"""In each round so many of the workers are killed at about the same time, with about two runs each."""
PATIENCE = 60.0
PHASE_SECONDS = 1.0
"""Kills are up to so long apart, so that they hit heartbeats, and the dispatchers' looks, at any moment."""


def take(setting: Setting) -> Figures:
    """From SIGKILL to the start of the next attempt of the last of the worker's runs, by the ledger."""
    kills = setting.count(KILLS, least=KILLED)
    ledger = Ledger(setting.folder / "ledger")
    world = World(setting.folder, setting.broker, "postgresql", clocks=False, relays=False, workers=WORKERS)
    waits: list[float | None] = []
    with opened(world):
        runs.dispatchers_listen(world)
        task = world.stack.task(ledger.command("exec sleep 1000"), name="long")
        while len(waits) < kills:
            waits += _round(world, ledger, task, min(KILLED, kills - len(waits)))
            setting.say(f"{len(waits)} of {kills} kills")
    known = [wait for wait in waits if wait is not None]
    return {
        "kills": len(waits),
        "not_started_again": len(waits) - len(known),
        "slowest": max(known, default=None),
        "median": percentile(known, 50) if known else None,
    }


def _round(world: World, ledger: Ledger, task: int, number: int) -> list[float | None]:
    """Kill some workers that run something; the wait for each, None where a run of it was not started again."""
    ids = set(runs.trigger(world.stack, task, RUNS))
    wait_until(lambda: len(ledger.first(ids)) == RUNS, 60, "all runs have begun")
    held = {member.name: set[str]() for member in world.of("worker")}
    for run, start in ledger.first(ids).items():
        held[start.worker].add(run)
    # Who has just not been heard, as on a machine that stood still for a moment, is given nothing.
    busy = [member for member in world.of("worker") if held[member.name]]
    victims = random.sample(busy, min(number, len(busy)))
    killed = {victim.name: _kill(victim) for victim in victims}
    lost = {run for name in killed for run in held[name]}
    runs.in_time(lambda: len(ledger.again(lost)) == len(lost), PATIENCE)
    again = ledger.again(lost)
    runs.cancel_all(world.stack, ids)
    runs.quiet(world)
    return [
        max(again[run].at for run in held[name]) - at if held[name] <= again.keys() else None
        for name, at in killed.items()
    ]


def _kill(victim: Member) -> float:
    time.sleep(random.uniform(0, PHASE_SECONDS))
    at = time.monotonic()
    victim.kill()
    return at


MEASURE = Measure(
    "worker_killed",
    "worker killed: its runs started elsewhere",
    take,
    (Goal("slowest", 20, LEASE_SECONDS + 2), Goal("not_started_again", 0, 0, "kills")),
)
