"""A run is cancelled: how soon are all its processes dead, and is that so where its worker was away just then?"""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

from tests.acceptance.harness import Stack
from tests.chaos.measures import commands, runs
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.ledger import Ledger
from tests.chaos.world import LEASE_SECONDS, Member, World, opened, signal_to
from tests.waiting import wait_until

TIMES = 20
WORKERS = 4
PATIENCE = 60.0
SHORT, LONG = 3.0, 1.5 * LEASE_SECONDS
"""Seconds for which a worker is away: less than a lease, and more."""
SHORT_GRACE = 1.0
TREE = "sleep 1000 & (sleep 1000 & sleep 1000; exit) & (setsid sleep 1000 & exit) & "
PROCESSES = 6
"""Of a command; grandchildren among them, and one in a session of its own whose parent has ended."""
KINDS = {
    "obedient": ("", {}),
    "stubborn_short_grace": ("trap '' TERM; ", {"grace_seconds": SHORT_GRACE}),
    "stubborn": ("trap '' TERM; ", {}),
}
"""How commands take SIGTERM, and the config of their task; without one they have the default grace."""
ORDER = ("obedient", "stubborn_short_grace", "obedient", "stubborn")


def take(setting: Setting) -> Figures:
    """From the request to cancel until the last process of the run is gone, by the kernel.

    Where the worker is away, the time counts from when it is back, or when its lease ended if that is earlier; what was
    gone before counts as 0. A worker that was killed is not waited for: there it counts from the request, too. One that
    stands still beyond its lease does so alone; how soon commands are gone that stood still with it, `frozen` measures.
    """
    ledger = Ledger(setting.folder / "ledger")
    world = World(setting.folder, setting.broker, "postgresql", clocks=False, workers=WORKERS)
    times: dict[str, list[float]] = {}
    with opened(world):
        runs.dispatchers_listen(world)
        tasks = {name: _task(world.stack, ledger, name) for name in KINDS}
        for name in islice(cycle(ORDER), setting.count(TIMES, least=len(ORDER))):
            run = _begin(world, ledger, tasks[name])
            times.setdefault(name, []).append(_cancel(world, run))
        setting.say("now with workers that are away")
        for name, away in AWAY.items():
            run = _begin(world, ledger, tasks["obedient"])
            times[name] = [away(world, run, _worker(world, ledger, run))]
            runs.quiet(world)
        runs.quiet(world)
        not_cancelled = sum(number for status, number in runs.rows(world, STATUSES) if status != "cancelled")
        begun = len(ledger.starts)
    return {
        **{name: max(some) for name, some in times.items()},
        "slowest_away": max(times[name][0] for name in AWAY),
        "not_cancelled": not_cancelled,
        "started_again": begun - len(ledger.begun),
    }


STATUSES = "SELECT status, count(*) FROM tasks_app_taskrun GROUP BY status"


def _task(stack: Stack, ledger: Ledger, name: str) -> int:
    before, config = KINDS[name]
    return stack.task(ledger.command(before + TREE + "wait"), name=name, config=config)


def _begin(world: World, ledger: Ledger, task: int) -> str:
    """A run, all of whose processes are there and known as running."""
    run = world.stack.run(task)
    wait_until(lambda: run in ledger.begun and len(commands.of_run(run)) == PROCESSES, 30, "the command runs")
    world.stack.wait_for(run, "running")
    return run


def _worker(world: World, ledger: Ledger, run: str) -> Member:
    name = ledger.first({run})[run].worker
    return next(member for member in world.of("worker") if member.name == name)


def _cancel(world: World, run: str) -> float:
    """Ask, and wait; the seconds from asking."""

    def ask() -> float:
        at = time.monotonic()
        runs.cancel_all(world.stack, [run])
        return at

    return _lives(run, ask)


def _lives(run: str, act: Callable[[], float]) -> float:
    """How long the run's processes live from the moment that `act` returns; 0 if they were gone by then.

    They are watched while it acts.
    """
    with ThreadPoolExecutor(1) as watcher:
        processes = commands.of_run(run)
        watched = watcher.submit(commands.gone_at, processes, PATIENCE)
        since = act()
        gone = watched.result()
    last = max(gone.values()) if len(gone) == len(processes) else time.monotonic()
    if left := commands.of_run(run):
        last = max(commands.gone_at(left, PATIENCE).values(), default=time.monotonic())
    return max(0.0, last - since)


def _frozen(whole: bool, seconds: float) -> Callable[[World, str, Member], float]:
    """Stopped, alone or with all it has started, for so long."""

    def away(world: World, run: str, worker: Member) -> float:
        stopped = worker.freeze(whole)

        def back() -> None:
            for each in stopped:
                signal_to(each, signal.SIGCONT)

        return _while_away(world, run, worker, seconds, back)

    return away


def _cut(seconds: float) -> Callable[[World, str, Member], float]:
    """Cut off from the broker for so long."""

    def away(world: World, run: str, worker: Member) -> float:
        way = world.network.between(worker.name, "broker")
        way.cut()
        return _while_away(world, run, worker, seconds, way.heal)

    return away


def _while_away(world: World, run: str, worker: Member, seconds: float, back: Callable[[], None]) -> float:
    """Cancel a run whose worker is away, and comes back after so long."""
    moments: list[float] = []

    def come_back() -> None:
        moments.append(time.monotonic())
        back()

    def ask() -> float:
        timer = threading.Timer(seconds, come_back)
        timer.start()
        runs.cancel_all(world.stack, [run])
        runs.in_time(lambda: moments or _is_offline(world, worker), PATIENCE)
        ended = time.monotonic()
        timer.join()
        return min([ended, *moments])

    return _lives(run, ask)


def _is_offline(world: World, worker: Member) -> bool:
    """Whether the dispatchers take its lease as ended."""
    workers = world.stack.get("workers/")["results"]
    return any(w["name"] == worker.name and w["status"] == "offline" for w in workers)


def _killed(world: World, run: str, worker: Member) -> float:
    worker.kill()
    return _cancel(world, run)


AWAY: dict[str, Callable[[World, str, Member], float]] = {
    "worker_frozen_whole": _frozen(whole=True, seconds=SHORT),
    "worker_frozen_beyond_lease": _frozen(whole=False, seconds=LONG),
    "worker_killed": _killed,
    "worker_cut_off": _cut(SHORT),
    "worker_cut_off_beyond_lease": _cut(LONG),
}

MEASURE = Measure(
    "cancel",
    "a run cancelled: all its processes dead",
    take,
    (
        *(Goal(name, 5, 2) for name in (*KINDS, "slowest_away")),
        Goal("not_cancelled", 0, 0, "runs"),
        Goal("started_again", 0, 0, "runs"),
    ),
)
