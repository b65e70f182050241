"""The broker is killed under load, and started without its data: is anything lost, and what was in it sent again?"""

import time

from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.load import Load
from tests.chaos.relay import DOWN
from tests.chaos.world import LEASE_SECONDS, World, opened
from tests.waiting import wait_until

WIPES = 5
RATE = 10.0
"""Runs a second."""
BETWEEN = 30
"""Runs that begin before the broker is wiped again."""
UNDELIVERED = 6
PATIENCE = 60.0
ASSIGNED = "SELECT id::text FROM tasks_app_taskrun WHERE status = 'assigned'"


def take(setting: Setting) -> Figures:
    """Before each wipe nothing reaches the workers any more, until some runs are assigned that no worker has heard of;
    what they have missed by then is gone for ever. The time is from when the broker answers to the last start of them.
    """
    wipes = setting.count(WIPES, least=2)
    ledger = Ledger(setting.folder / "ledger")
    world = World(setting.folder, setting.broker, "postgresql", clocks=False)
    waits: list[float | None] = []
    with opened(world):
        runs.dispatchers_listen(world)
        task = world.stack.task(ledger.command(), name="load")
        with Load(world.stack, task, RATE) as load:
            for _ in range(wipes):
                runs.flow(ledger, BETWEEN)
                waits.append(_wipe(world, ledger))
        runs.quiet(world)
        lost = runs.lost(world, load.accepted, ledger)
    known = [wait for wait in waits if wait is not None]
    return {
        "wipes": wipes,
        "accepted": len(load.accepted),
        "lost": lost,
        "not_sent_again": wipes - len(known),
        "sent_again_slowest": max(known, default=None),
        "sent_again": known,
    }


def _wipe(world: World, ledger: Ledger) -> float | None:
    """Seconds until all that was assigned and not delivered has begun; None if it did not in time."""
    ways = [world.network.between(member.name, "broker") for member in world.of("worker")]
    for way in ways:
        way.cut(DOWN)
    undelivered: set[str] = set()

    def enough() -> bool:
        undelivered.update(_assigned(world) - ledger.begun)
        return len(undelivered) >= UNDELIVERED

    wait_until(enough, LEASE_SECONDS / 2, "some runs are assigned and not delivered")
    world.broker.kill()
    for way in ways:
        way.reset()  # what it has held back is gone, too
        way.heal()
    world.broker.delete_data()
    world.broker.start()
    begin = time.monotonic()
    lacking = undelivered - ledger.begun
    if not runs.in_time(lambda: lacking <= ledger.begun, PATIENCE):
        return None
    return max(start.at for start in ledger.starts if start.run in lacking) - begin


def _assigned(world: World) -> set[str]:
    return {run for (run,) in runs.rows(world, ASSIGNED)}


MEASURE = Measure(
    "broker_wiped",
    "broker killed under load, and started empty",
    take,
    (
        Goal("lost", 0, 0, "runs"),
        Goal("not_sent_again", 0, 0, "wipes"),
        Goal("sent_again_slowest", 30, LEASE_SECONDS + 2),
    ),
)
