"""For five minutes ten times as much is asked for as can be done: is it shed soon, is all that was accepted done, and
does the dispatcher stay small?"""

import time
from collections import Counter
from typing import Any

from benchmarks import cpu
from tests.chaos.measures import runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.measures.numbers import growth_percent, percentile
from tests.chaos.measures.samples import Samples, memory
from tests.chaos.measures.storm import Answers, Storm, rage
from tests.chaos.world import World, opened
from tests.waiting import wait_until

SECONDS, LEAST_SECONDS = 300.0, 30.0
TIMES = 10
WORKERS, SLOTS = 2, 50
CLIENTS = 16
"""As many as a web process has threads: they keep it busy, and are not refused."""
CAPACITY_SECONDS, LEAST_CAPACITY_SECONDS = 20.0, 8.0
MAX_PENDING = 5000
"""Of the installation: it works that off in about a minute or less."""
LOOK_SECONDS = 1.0
DONE_SECONDS = 600.0


def take(setting: Setting) -> Figures:
    """What can be done is what the whole installation does for clients that ask by turns, from the API to the ledger.

    Then requests, each for one run, come at ten times that rate, to one web process. The API's times are of all
    answers, those with 429 too. Memory is that of the dispatcher around the first minute (a fifth of the time) and in
    the last tenth.
    """
    seconds = setting.seconds(SECONDS, LEAST_SECONDS)
    ledger = Ledger(setting.folder / "ledger")
    world = World(
        setting.folder,
        setting.broker,
        "postgresql",
        clocks=False,
        relays=False,
        small=False,
        dispatchers=1,
        workers=WORKERS,
        slots=SLOTS,
        settings={"MAX_PENDING": str(MAX_PENDING)},
    )
    with opened(world):
        runs.dispatchers_listen(world)
        task = world.stack.task(ledger.command(), name="load")
        url, key = f"http://127.0.0.1:{world.stack.port}/api/v1/tasks/{task}/run/", world.stack.key
        capacity = _capacity(world, ledger, Storm(url, key, setting.seconds(CAPACITY_SECONDS, LEAST_CAPACITY_SECONDS)))
        setting.say(f"{capacity:.0f} runs a second can be done; asking for {TIMES * capacity:.0f}")
        pids = {member.name: member.pid for member in world.members}
        with Samples(lambda: memory(pids), LOOK_SECONDS) as samples:
            before = cpu.of(pids["web"]).total
            answers = rage(Storm(url, key, seconds, rate=TIMES * capacity))
            used = cpu.of(pids["web"]).total - before
        wait_until(lambda: runs.rows(world, runs.OPEN)[0][0] == 0, DONE_SECONDS, "all that was accepted has ended")
        lost = runs.lost(world, answers.accepted, ledger)
        restarts = sum(member.restarts for member in world.members)
    growth = {name: _growth(samples, name, seconds) for name in pids}
    return {
        "capacity_per_second": capacity,
        **_answered(answers, seconds),
        "web_cpu_ms_per_answer": 1000 * used / max(1, len(answers.answered)),
        "lost": lost,
        "restarts": restarts,
        "dispatcher_growth": growth["dispatcher-1"],
        "growth_percent": {name: round(percent, 1) for name, percent in growth.items()},
    }


def _capacity(world: World, ledger: Ledger, storm: Storm) -> float:
    """Runs that begin a second while clients ask by turns, in the second half of the time."""
    storm.clients = CLIENTS
    begin = time.monotonic()
    rage(storm)
    half, end = begin + storm.seconds / 2, begin + storm.seconds
    runs.quiet(world)
    return sum(half <= start.at < end for start in ledger.starts) / (end - half)


def _growth(samples: Samples, name: str, seconds: float) -> float:
    """In percent, from around the first fifth of the time to the last tenth."""

    def values(since: float, until: float) -> list[float]:
        return [value for _, value in samples.of(name, since * seconds, until * seconds)]

    return growth_percent(values(0.15, 0.25), values(0.9, 1.0))


def _answered(answers: Answers, seconds: float) -> dict[str, Any]:
    """How the API has answered."""

    def slow(percent: float, *statuses: int) -> float | None:
        times = [took for status, took in answers.answered if not statuses or status in statuses]
        return percentile(times, percent) if times else None

    return {
        "offered_per_second": round(len(answers.late) / seconds),
        "statuses": dict(Counter(status for status, _ in answers.answered)),
        "unanswered": answers.unanswered,
        "api_p99": slow(99),
        "api_p50": slow(50),
        "p99_of_202": slow(99, 202),
        "p99_of_429": slow(99, 429),
        "client_late_p99": percentile(answers.late, 99),
        "client_cpu": answers.cpu_seconds,
    }


MEASURE = Measure(
    "overload",
    "ten times as much asked for as can be done",
    take,
    (Goal("lost", 0, 0, "runs"), Goal("api_p99", 0.5, 0.1), Goal("dispatcher_growth", 10, 10, "%")),
)
