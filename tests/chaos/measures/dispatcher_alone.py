"""The only dispatcher is killed, and its supervisor starts it anew: how soon does a schedule fire again?"""

import random
import time

from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.numbers import percentile
from tests.chaos.world import World, opened
from tests.waiting import wait_until

KILLS = 10
PATIENCE = 60.0
FLOWING = 3
"""Nominal times that are started before the next kill."""


def take(setting: Setting) -> Figures:
    """From SIGKILL to the first start, by the ledger, for a nominal time after it; a task is due every second."""
    kills = setting.count(KILLS, least=2)
    ledger = Ledger(setting.folder / "ledger")
    world = World(setting.folder, setting.broker, "postgresql", clocks=False, relays=False, dispatchers=1, workers=2)
    with opened(world):
        runs.dispatchers_listen(world)
        world.stack.task(ledger.command(), name="second", schedule="* * * * * *")
        waits = [_kill(world, ledger) for _ in range(kills)]
    known = [wait for wait in waits if wait is not None]
    return {
        "kills": kills,
        "never_fired": kills - len(known),
        "slowest": max(known, default=None),
        "median": percentile(known, 50) if known else None,
    }


def _kill(world: World, ledger: Ledger) -> float | None:
    flowing = time.time()
    wait_until(lambda: _since(ledger, flowing) >= FLOWING, 60, "the schedule fires")
    time.sleep(random.uniform(0, 1))
    at, monotonic = time.time(), time.monotonic()
    world.of("dispatcher")[0].kill()
    if not runs.in_time(lambda: _since(ledger, at), PATIENCE):
        return None
    return min(start.at for start in ledger.starts if start.nominal > at) - monotonic


def _since(ledger: Ledger, moment: float) -> int:
    """How many starts there were for nominal times after a moment."""
    return sum(start.nominal > moment for start in ledger.starts)


MEASURE = Measure(
    "dispatcher_alone",
    "the only dispatcher killed: next fire",
    take,
    (Goal("slowest", 15, 5), Goal("never_fired", 0, 0, "kills")),
)
