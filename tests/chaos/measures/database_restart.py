"""PostgreSQL is restarted under 5,000 runs a minute: how soon is the rate full again?"""

import time

from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.load import Load
from tests.chaos.measures.numbers import full_rate_after, percentile
from tests.chaos.world import World, opened

RESTARTS = 6
"""By turns in order, as for an upgrade, and by SIGKILL."""
RATE, BATCH = 5000 / 60, 10
"""Runs a second, and how many of them are triggered in one request."""
WORKERS, SLOTS = 2, 100
BEFORE, AFTER = 10.0, 25.0
"""Seconds of load around a restart."""


def take(setting: Setting) -> Figures:
    """From the moment at which the server accepts connections until runs begin, by the ledger, at 95 % of the offered
    rate again, and go on so for 5 s. What was offered meanwhile waits at the clients, and comes in addition."""
    restarts = setting.count(RESTARTS, least=2)
    ledger = Ledger(setting.folder / "ledger")
    world = World(
        setting.folder,
        setting.broker,
        "postgresql",
        clocks=False,
        relays=False,
        small=False,
        workers=WORKERS,
        slots=SLOTS,
    )
    backs: list[float] = []
    begins: list[float] = []
    with opened(world):
        runs.dispatchers_listen(world)
        task = world.stack.task(ledger.command(), name="load")
        with Load(world.stack, task, RATE, BATCH) as load:
            runs.flow(ledger, round(RATE))
            for number in range(restarts):
                begins.append(time.monotonic())
                time.sleep(BEFORE)
                backs.append(_restart(world, killed=bool(number % 2)))
                time.sleep(AFTER)
                setting.say(f"{number + 1} of {restarts} restarts")
        runs.quiet(world)
        lost = runs.lost(world, load.accepted, ledger)
    moments = [start.at for start in ledger.starts]
    fulls = [full_rate_after([at for at in moments if at < back + AFTER], back, RATE) for back in backs]
    known = [each for each in fulls if each is not None]
    return {
        "restarts": restarts,
        "never_full": restarts - len(known),
        "full_rate_slowest": max(known, default=None),
        "full_rate_median": percentile(known, 50) if known else None,
        "offered_per_second": RATE,
        "before_per_second": min(_rate(moments, begin) for begin in begins),
        "accepted": len(load.accepted),
        "lost": lost,
    }


def _rate(moments: list[float], since: float) -> float:
    return sum(since <= at < since + BEFORE for at in moments) / BEFORE


def _restart(world: World, killed: bool) -> float:
    """Returns when it accepted connections again."""
    assert world.postgresql
    if killed:
        world.postgresql.kill()
    else:
        world.postgresql.stop()
    world.postgresql.start()
    return time.monotonic()


MEASURE = Measure(
    "database_restart",
    "PostgreSQL restarted under 5,000 runs a minute",
    take,
    (
        Goal("full_rate_slowest", 15, 5),
        Goal("never_full", 0, 0, "restarts"),
        Goal("lost", 0, 0, "runs"),
    ),
)
