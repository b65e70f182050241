"""The broker is killed and started at once, again and again: how soon does work flow, and does anybody have to help?"""

import time
from datetime import datetime

from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.load import Load
from tests.chaos.measures.numbers import percentile
from tests.chaos.world import World, opened
from tests.waiting import wait_until

RESTARTS = 50
RATE = 10.0
"""Runs a second."""
HELP_SECONDS = 60.0
"""Who has not healed by then is started anew, as a person would: that is counted."""
BETWEEN = 10
"""Runs that begin before the broker is killed again."""


def take(setting: Setting) -> Figures:
    """From the moment at which the broker answers until a run triggered after it has succeeded, and until all workers
    are online and have been heard since."""
    restarts = setting.count(RESTARTS, least=3)
    ledger = Ledger(setting.folder / "ledger")
    world = World(setting.folder, setting.broker, "postgresql", clocks=False, relays=False)
    heals: list[float | None] = []
    downs: list[float] = []
    with opened(world):
        runs.dispatchers_listen(world)
        task = world.stack.task(ledger.command(), name="load")
        with Load(world.stack, task, RATE) as load:
            while len(heals) < restarts:
                runs.flow(ledger, BETWEEN)
                downs.append(_restart(world))
                heals.append(_heal(world, task))
        runs.quiet(world)
        lost = runs.lost(world, load.accepted, ledger)
        ended = sum(member.restarts for member in world.members)
    known = [heal for heal in heals if heal is not None]
    return {
        "restarts": restarts,
        "manual_restarts": restarts - len(known),
        "ended_by_themselves": ended,
        "heal_slowest": max(known, default=None),
        "heal_median": percentile(known, 50) if known else None,
        "down_slowest": max(downs),
        "accepted": len(load.accepted),
        "lost": lost,
    }


def _restart(world: World) -> float:
    """Returns for how many seconds the broker did not answer."""
    begin = time.monotonic()
    world.broker.kill()
    world.broker.start()
    return time.monotonic() - begin


def _heal(world: World, task: int) -> float | None:
    """Seconds until all flows; None if that needed help."""
    begin, moment = time.monotonic(), time.time()
    flows = runs.in_time(lambda: _flows(world, task), HELP_SECONDS)
    if flows and runs.in_time(lambda: _heard(world, moment), HELP_SECONDS):
        return time.monotonic() - begin
    for member in world.members:
        member.kill()
    wait_until(world.healed, 120, "all is healed after all was started anew")
    return None


def _flows(world: World, task: int) -> bool:
    """Whether a run triggered now succeeds soon."""
    run = world.stack.run(task)
    return bool(runs.in_time(lambda: world.stack.get(f"runs/{run}/")["status"] == "succeeded", HELP_SECONDS))


def _heard(world: World, moment: float) -> bool:
    """Whether a dispatcher has heard each of the workers since (seconds since 1970)."""
    workers = world.stack.get("workers/")["results"]
    heard = [w for w in workers if datetime.fromisoformat(w["last_heartbeat"]).timestamp() > moment]
    return sum(w["status"] in ("online", "busy") for w in heard) == world.workers == world.online()


MEASURE = Measure(
    "broker_restarts",
    "broker killed and started under load, again and again",
    take,
    (
        Goal("manual_restarts", 0, 0, "restarts"),
        Goal("heal_slowest", 30, 5),
        Goal("lost", 0, 0, "runs"),
    ),
)
