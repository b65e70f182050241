"""A dispatcher is killed while another lives: by how much are nominal times late that they would not be else?"""

import random
import time
from statistics import median

from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.numbers import latenesses, percentile
from tests.chaos.world import Member, World, opened
from tests.waiting import wait_until

KILLS = 100
CALM_SECONDS, LEAST_CALM_SECONDS = 60.0, 15.0
BEFORE, AFTER = 1, 3
"""Nominal times so many seconds around a kill may feel it."""
PATIENCE = 30.0
AIMED_SECONDS = 0.1
"""Every second kill hits so soon after a nominal time, when a dispatcher has the most to do."""


def take(setting: Setting) -> Figures:
    """A task is due every second. The lag of a kill is how late the latest of the nominal times around it started, less
    the median lateness while nothing is killed."""
    kills = setting.count(KILLS, least=4)
    ledger = Ledger(setting.folder / "ledger")
    world = World(setting.folder, setting.broker, "postgresql", clocks=False, relays=False, workers=2)
    with opened(world):
        runs.dispatchers_listen(world)
        world.stack.task(ledger.command(), name="second", schedule="* * * * * *")
        wait_until(lambda: ledger.starts, 30, "the task runs")
        begin = time.time()
        time.sleep(setting.seconds(CALM_SECONDS, LEAST_CALM_SECONDS))
        calm = _late(ledger, begin, time.time() - AFTER)
        moments = [_kill(world, ledger, n) for n in range(kills)]
        lags = [_late(ledger, moment - BEFORE, moment + AFTER) for moment in moments]
    return _figures([each for each in calm if each is not None], lags)


def _figures(calm: list[float], lags: list[list[float | None]]) -> Figures:
    usual = median(calm)
    worst = sorted(max((late for late in some if late is not None), default=0.0) - usual for some in lags)
    return {
        "kills": len(lags),
        "never_started": sum(late is None for some in lags for late in some),
        "slowest": worst[-1],
        "median": percentile(worst, 50),
        "p95": percentile(worst, 95),
        "without_kills_median": usual,
        "without_kills_slowest": max(calm) - usual,
    }


def _late(ledger: Ledger, since: float, until: float) -> list[float | None]:
    """How late each nominal time between two moments (seconds since 1970) was started."""
    offset = time.time() - time.monotonic()
    due = [float(second) for second in range(int(since) + 1, int(until) + 1)]
    return latenesses(due, [(start.nominal, start.at + offset) for start in ledger.starts])


def _kill(world: World, ledger: Ledger, number: int) -> float:
    """Kill one of the dispatchers; returns when. There are two again then, and all that may feel it is over."""
    victim: Member = random.choice(world.of("dispatcher"))
    time.sleep(1 - time.time() % 1 + random.uniform(0, AIMED_SECONDS if number % 2 else 1))
    hears = runs.Hearing(world, victim)
    at = time.time()
    victim.kill()
    wait_until(hears, 60, f"{victim.name} listens again")
    # What has not been started by then never was.
    runs.in_time(lambda: ledger.starts[-1].nominal > at + AFTER, PATIENCE)
    return at


MEASURE = Measure(
    "dispatcher_killed",
    "dispatcher killed beside another: extra lag of nominal times",
    take,
    (Goal("slowest", 2, 0.2), Goal("never_started", 0, 0, "times")),
)
