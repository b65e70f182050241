"""An hour of what users do: does anything grow?"""

from pathlib import Path
from time import sleep

import psutil
import redis

from services import RabbitMQ
from tests.chaos import history
from tests.chaos.checker import check
from tests.chaos.history import Recorder
from tests.chaos.measures import runs, samples
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.numbers import slope, slope_percent
from tests.chaos.measures.samples import Look, Samples
from tests.chaos.nemesis import RATE
from tests.chaos.traffic import Traffic
from tests.chaos.windows import TRAFFIC
from tests.chaos.world import LEASE_SECONDS, SLOTS, WORKERS, World, opened

SECONDS, LEAST_SECONDS = 3600.0, 120.0
LOOK_SECONDS = 10.0
WARM = 1 / 6
"""The share of the time in which everything may grow: ten minutes of an hour."""
PER_SECONDS = 600.0
MEMORY, FILES = "memory ", "files "
COUNTED = ("zombies", "database connections", "broker connections", "broker keys")
FLAT = 0.5
"""A count that grows by so much in ten minutes, on the line laid through all looks, has a leak; less is noise."""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def take(setting: Setting) -> Figures:
    """The traffic of the passes, without faults. Every figure is the slope of the line through what was seen after the
    first ten minutes (a sixth of the time), for ten minutes; of memory (PSS) in percent."""
    seconds = setting.seconds(SECONDS, LEAST_SECONDS)
    world = World(setting.folder / "world", setting.broker, "postgresql", clocks=False, relays=False, small=False)
    slots = {f"worker-{n + 1}": SLOTS for n in range(WORKERS)}
    recorder = Recorder(setting.folder, 0, slots, LEASE_SECONDS)
    with opened(world):
        runs.dispatchers_listen(world)
        traffic = Traffic(world.stack, recorder, RATE)
        traffic.begin()
        with Samples(lambda: _look(world), LOOK_SECONDS) as seen:
            sleep(seconds)
        traffic.stop()
        runs.quiet(world)
        traffic.read_all()
        restarts = sum(member.restarts for member in world.members)
    recorder.close()
    findings = check(history.load(setting.folder), TRAFFIC)
    return _figures(seen, seconds * WARM) | {"restarts": restarts, "findings": [each.text for each in findings[:10]]}


def _look(world: World) -> Look:
    """All that might grow."""
    pids = samples.ours({member.name: member.pid for member in world.members})
    found = {MEMORY + name: value for name, value in samples.memory(pids).items()}
    found |= {FILES + name: float(len(list(Path(f"/proc/{pid}/fd").glob("*")))) for name, pid in pids.items()}
    found["zombies"] = float(_zombies(world))
    found["database connections"] = float(runs.rows(world, CONNECTIONS)[0][0])
    found["broker connections"] = float(_connections(world.broker.memory["port"]))
    if not isinstance(world.broker, RabbitMQ):
        with redis.Redis.from_url(world.broker.url) as client:
            found["broker keys"] = float(client.dbsize())
    return found


def _zombies(world: World) -> int:
    """Children of ours that have ended and were not waited for."""
    found = 0
    for member in world.members:
        for process in member.family():
            try:
                found += process.status() == psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                continue
    return found


def _connections(port: int) -> int:
    """How many the server on this port has."""
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in psutil.net_connections("tcp4")
    )


def _figures(seen: Samples, since: float) -> Figures:
    percents = {
        name.removeprefix(MEMORY): slope_percent(seen.of(name, since), PER_SECONDS)
        for name in sorted(seen.names)
        if name.startswith(MEMORY)
    }
    counts = {
        name: slope(seen.of(name, since), PER_SECONDS)
        for name in sorted(seen.names)
        if name.startswith(FILES) or name in COUNTED
    }
    return {
        "memory_percent": max(percents.values()),
        "files": max(growth for name, growth in counts.items() if name.startswith(FILES)),
        **{name.replace(" ", "_"): counts[name] for name in COUNTED if name in counts},
        "memory_percents": {name: round(percent, 2) for name, percent in percents.items()},
        "counts": {name: round(growth, 2) for name, growth in counts.items()},
        "last": {name: seen.of(name, 0.0)[-1][1] for name in sorted(seen.names)},
    }


MEASURE = Measure(
    "soak",
    "an hour of mixed traffic",
    take,
    (
        Goal("memory_percent", 1, 0.2, "%/10 min"),
        *(Goal(name, FLAT, FLAT, "/10 min") for name in ("files", "zombies", "database_connections")),
        Goal("broker_connections", FLAT, FLAT, "/10 min"),
    ),
    only_named=True,
)
