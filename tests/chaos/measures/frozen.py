"""Workers stand still for three leases, and go on: do they write what is out of date, and how long do commands live on?

Each of them runs two commands when it is stopped: one that goes on for ever, with a child, and one that ends while it
stands still (or at once when it goes on), so that the worker has a success to report that is not current any more.
"""

import random
import signal
import time
from dataclasses import dataclass
from typing import Any

import psutil

from tests.chaos.measures import commands, runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger, Start
from tests.chaos.measures.numbers import percentile
from tests.chaos.world import LEASE_SECONDS, Member, World, opened, signal_to
from tests.waiting import wait_until

PAUSES = 200
WORKERS, FROZEN, SLOTS = 12, 10, 16
"""In each round so many of the workers are stopped together; the others have room for all that runs."""
SECONDS = 3 * LEASE_SECONDS
STALE = "stale output"
ENDS_AFTER = 5.0
SCRIPTS = {
    "for-ever": "sleep 1000 & sleep 1000; exit",
    "ending": f'[ "$SCHEDULER_ATTEMPT" = 1 ] || exec sleep 1000; sleep {ENDS_AFTER:g}; echo {STALE}',
}
GONE_SECONDS = 60.0


@dataclass(frozen=True)
class Round:
    """What one round has seen."""

    killed_after: list[float]
    """Of each worker: seconds from SIGCONT until its old attempts were gone; 0 if they had gone before."""
    wrong: list[str]
    """What is wrong with runs that it concerns."""
    not_taken_over: int
    """Runs that had not been started elsewhere when their worker went on."""


def take(setting: Setting) -> Figures:
    """Every other worker is stopped with all it has started, the others alone."""
    pauses = setting.count(PAUSES, least=FROZEN)
    ledger = Ledger(setting.folder / "ledger")
    world = World(
        setting.folder, setting.broker, "postgresql", clocks=False, relays=False, workers=WORKERS, slots=SLOTS
    )
    rounds: list[Round] = []
    with opened(world):
        runs.dispatchers_listen(world)
        tasks = [world.stack.task(ledger.command(script), name=name) for name, script in SCRIPTS.items()]
        for done in range(0, pauses, FROZEN):
            rounds.append(_round(world, ledger, tasks, min(FROZEN, pauses - done)))
            setting.say(f"{done + len(rounds[-1].killed_after)} of {pauses} pauses")
    times = [seconds for each in rounds for seconds in each.killed_after]
    wrong = [text for each in rounds for text in each.wrong]
    return {
        "pauses": len(times),
        "stale_writes": sum(text.startswith("stale") for text in wrong),
        "lost": sum(text.startswith("lost") for text in wrong),
        "wrong": wrong[:10],
        "killed_after_slowest": max(times),
        "killed_after_median": percentile(times, 50),
        "lived_at_thaw": sum(seconds > 0 for seconds in times),
        "not_taken_over": sum(each.not_taken_over for each in rounds),
    }


def _round(world: World, ledger: Ledger, tasks: list[int], number: int) -> Round:
    ids = {run for task in tasks for run in runs.trigger(world.stack, task, WORKERS)}
    wait_until(lambda: ids <= ledger.begun, 60, "all runs have begun")
    workers = {start.worker for start in ledger.first(ids).values()}
    victims = random.sample([member for member in world.of("worker") if member.name in workers], number)
    processes = {key: some for key, some in commands.by_attempt().items() if key[0] in ids}
    stopped = [victim.freeze(whole=bool(n % 2)) for n, victim in enumerate(victims)]
    begin = time.monotonic()
    theirs = _hit(ledger, ids, victims, begin)
    time.sleep(SECONDS)
    late = theirs.keys() - ledger.again(theirs).keys()
    old = [[each for run, w in theirs.items() if w == v.name for each in processes.get((run, 1), [])] for v in victims]
    killed_after = _thaw(stopped, old)
    runs.in_time(world.healed, GONE_SECONDS)
    early = _looked_at(world, ledger, theirs)
    runs.cancel_all(world.stack, ids)
    runs.quiet(world)
    return Round(killed_after, list((_looked_at(world, ledger, theirs) | early).values()), len(late))


def _hit(ledger: Ledger, ids: set[str], victims: list[Member], frozen: float) -> dict[str, str]:
    """Run → worker, of the runs that surely had not ended when their worker was stopped."""
    names = {victim.name for victim in victims}
    found = ledger.first(ids).values()
    return {each.run: each.worker for each in found if each.worker in names and frozen - each.at < ENDS_AFTER - 1}


def _thaw(stopped: list[list[psutil.Process]], old: list[list[psutil.Process]]) -> list[float]:
    """Have all go on; how long the processes of each one's old attempts lived then."""
    before = commands.gone_at([each for some in old for each in some], 0.0)
    thawed = []
    for some in stopped:
        thawed.append(time.monotonic())
        for each in some:
            signal_to(each, signal.SIGCONT)
    living = [[each for each in some if each not in before] for some in old]
    gone = commands.gone_at([each for some in living for each in some], GONE_SECONDS)
    never = time.monotonic()
    return [
        max((gone.get(each, never) - at for each in some), default=0.0) for at, some in zip(thawed, living, strict=True)
    ]


def _looked_at(world: World, ledger: Ledger, theirs: dict[str, str]) -> dict[str, str]:
    """Run → what is wrong with it, in words that begin with `stale` or `lost`."""
    found = {}
    for run in theirs:
        shown, newest, output = world.stack.get(f"runs/{run}/"), ledger.newest(run), world.stack.log(run)
        assert newest
        seen = {name: shown[name] for name in ("status", "reason", "attempt", "worker")}
        if kind := wrong(seen, newest, output):
            found[run] = f"{kind}: run {run} is {seen}, its newest start {newest}, its output {output!r}"
    return found


def wrong(shown: dict[str, Any], newest: Start, output: str) -> str:
    """`stale`: the run shows something that only an older attempt can have said, as none ends by itself but the first;
    `lost`: it was given up together with its workers. Else nothing."""
    if shown["status"] == "failed" and shown["reason"] == "worker_lost":
        return "lost"
    ended = shown["status"] in ("succeeded", "failed")
    other = shown["attempt"] == newest.attempt and shown["worker"] != newest.worker
    return "stale" if ended or other or shown["attempt"] < newest.attempt or STALE in output else ""


MEASURE = Measure(
    "frozen",
    "workers stand still for three leases: stale writes; commands gone after the thaw",
    take,
    (
        Goal("stale_writes", 0, 0, "writes"),
        Goal("killed_after_slowest", 2, 1),
        Goal("not_taken_over", 0, 0, "runs"),
        Goal("lost", 0, 0, "runs"),
    ),
)
