"""A whole installation for the nemesis to torment: servers of its own, and a supervisor for our processes."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg

from services import PostgreSQL, RabbitMQ, Redis, Server
from tests.acceptance.harness import Stack, prepare, sqlite_database
from tests.brokers import address
from tests.chaos import disks
from tests.chaos.plants import bugs
from tests.chaos.relay import Network
from tests.waiting import wait_until

DISPATCHERS, WORKERS, SLOTS = 2, 3, 16
"""Slots enough to catch up, within the half minute allowed, on what an outage has held up beside what is new."""
LEASE_SECONDS = 10.0
LOOK_SECONDS = 0.1
RESTART_SECONDS = 1.0
"""A process that ends again at once is started again after so long, as a supervisor would."""
HEARD_SECONDS = 5.0
"""Two heartbeats, and some."""
DISK_MEGABYTES = {"broker": 300, "database": 500, "worker": 16}


@dataclass
class Member:
    """One of our processes, started anew by the supervisor whenever it has ended."""

    name: str
    role: str
    start: Callable[[], "subprocess.Popen[bytes]"]
    process: "subprocess.Popen[bytes]"
    since: float = 0.0
    restarts: int = 0
    on_kill: Callable[["Member"], None] = lambda member: None

    @property
    def pid(self) -> int:
        return self.process.pid

    def family(self) -> list[psutil.Process]:
        """It and all it has started."""
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """SIGKILL; the supervisor starts it anew."""
        self.on_kill(self)
        self.process.kill()

    def freeze(self, whole: bool) -> list[psutil.Process]:
        """SIGSTOP it alone, or it and all it has started; what was stopped is returned, to be thawed."""
        stopped = self.family() if whole else self.family()[:1]
        for each in stopped:
            signal_to(each, signal.SIGSTOP)
        return stopped


def signal_to(process: psutil.Process, number: signal.Signals) -> None:
    """A process that has ended meanwhile is none to be signalled."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


class SmallPostgreSQL(PostgreSQL):
    """Keeps its data where it is told to."""

    def _new_home(self) -> Path:
        home = self.folder / "disk"
        home.mkdir(exist_ok=True)
        return home

    def delete_data(self) -> None:
        """Its disk goes as a whole."""


SMALL = {"max_wal_size": "64MB", "min_wal_size": "32MB", "shared_buffers": "32MB"}


@dataclass
class World:
    """Web, dispatchers and workers on a private database and a private broker, watched over by a supervisor."""

    folder: Path
    broker_kind: str
    database_kind: str
    members: list[Member] = field(default_factory=list)
    plant: str = ""
    """A bug that every process of ours has."""
    on_kill: Callable[[Member], None] = lambda member: None
    clocks: bool = True
    """Whether clocks can be set."""
    dispatchers: int = DISPATCHERS
    workers: int = WORKERS
    slots: int = SLOTS
    """Of each worker."""
    small: bool = True
    """Whether servers have small disks of their own, in memory, that can be filled; else they write to a real one."""
    relays: bool = True
    """Whether each process reaches the servers through a relay that can be cut; it costs this process time."""
    settings: dict[str, str] = field(default_factory=dict)
    """Of web and dispatchers, beside the usual ones."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Others' programs (PostgreSQL's) must reach their own folders in it.
        self.folder.chmod(0o711)
        self.network = Network()
        self.broker: Server = (RabbitMQ if self.broker_kind == "rabbitmq" else Redis)(self.folder / "broker")
        self.postgresql: Server | None = (
            SmallPostgreSQL(self.folder / "postgresql", settings=SMALL if self.small else None)
            if self.database_kind == "postgresql"
            else None
        )
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._supervise, name="supervisor")

    def disk(self, part: str) -> Path:
        """The folder that has a disk of its own for `broker`, `database` or `worker`."""
        return {
            "broker": self.folder / "broker" / "data",
            "database": self.folder / self.database_kind / "disk",
            "worker": self.folder / "worker-disk",
        }[part]

    def open(self) -> None:
        """Start everything, and wait until runs could run."""
        for part, megabytes in DISK_MEGABYTES.items():
            if self.small:
                disks.mount(self.disk(part), megabytes)
            self.disk(part).mkdir(parents=True, exist_ok=True)
        for part in ("broker", self.database_kind):
            (self.folder / part).chmod(0o711)
        self.broker.start()
        self._broker_url = address(self.broker_kind, self.broker.url)
        self.stack = Stack(self.folder, self._broker_url, self._database(), self.settings)
        self._add("web", "web", lambda **own: self.stack.web(wait=False, **own))
        for n in range(self.dispatchers):
            name = f"dispatcher-{n + 1}"
            self._add(name, "dispatcher", lambda name=name, **own: self.stack.dispatcher(name, **own))
        for n in range(self.workers):
            name = f"worker-{n + 1}"
            self._add(name, "worker", lambda name=name, **own: self.stack.worker(name, self.slots, wait=False, **own))
        wait_until(self.healed, 90, "all workers are online")
        self._watch.start()

    def _database(self) -> tuple[str, str]:
        if self.postgresql is None:
            return sqlite_database(self.disk("database"))
        self.postgresql.start()
        key = prepare(self.postgresql.url)
        if statement := bugs.SQL.get(self.plant):
            with psycopg.connect(self.postgresql.url, autocommit=True) as connection:
                connection.execute(statement)
        return self.postgresql.url, key

    def _add(self, name: str, role: str, start: Callable[..., Any]) -> None:
        settings = self._settings(name, role)

        def begin() -> Any:
            return start(**settings)

        self.members.append(Member(name, role, begin, begin(), time.monotonic(), on_kill=self.on_kill))

    def _settings(self, name: str, role: str) -> dict[str, str]:
        """A way to each server, a clock, and room for what it writes, all of its own."""
        clock = self.folder / f"{name}.clock"
        clock.write_text("+0")
        own = {"BROKER_URL": self._way(name, "broker", self._broker_url)}
        if self.clocks:
            own |= faketime(clock)
        if self.plant:
            own |= {"PYTHONPATH": str(Path(bugs.__file__).parent), "CHAOS_PLANT": self.plant}
        if role == "worker":
            return own | {"TMPDIR": str(self.disk("worker"))}
        if self.postgresql:
            own["DATABASE_URL"] = self._way(name, "database", self.postgresql.url)
        return own

    def _way(self, name: str, server: str, url: str) -> str:
        return self.network.way(name, server, url) if self.relays else url

    def set_clock(self, name: str, offset: str) -> None:
        """Have `name` believe in another time from now on: `+3600`, `-600`, `+0`."""
        draft = self.folder / f"{name}.clock.new"
        draft.write_text(offset)
        draft.rename(self.folder / f"{name}.clock")

    def online(self) -> int:
        """How many workers a dispatcher takes as alive, and has just heard: else there may be none that works."""
        status, body = self.stack.request("GET", "workers/", seconds=5)
        since = datetime.now(UTC) - timedelta(seconds=HEARD_SECONDS)
        return sum(
            w["status"] in ("online", "busy") and datetime.fromisoformat(w["last_heartbeat"]) > since
            for w in (body["results"] if status == 200 else ())
        )

    def of(self, role: str) -> list[Member]:
        return [member for member in self.members if member.role == role]

    def healed(self) -> bool:
        """Everything answers, and all workers are online."""
        try:
            status, _ = self.stack.request("GET", f"http://127.0.0.1:{self.stack.port}/readyz", seconds=5)
            return status == 200 and self.online() == self.workers
        except (OSError, ValueError):
            return False

    def _supervise(self) -> None:
        """Start anew what has ended, at once, as systemd or Kubernetes would after a first crash."""
        while not self._closing.wait(LOOK_SECONDS):
            for member in self.members:
                if member.process.poll() is not None and time.monotonic() - member.since > RESTART_SECONDS:
                    member.restarts += 1
                    member.since = time.monotonic()
                    member.process = member.start()

    def close(self) -> None:
        """End everything, our processes first."""
        self._closing.set()
        if self._watch.ident:
            self._watch.join()
        if hasattr(self, "stack"):
            self.stack.close()
        for server in (self.broker, self.postgresql):
            if server:
                server.kill()
        self.network.close()
        for part in DISK_MEGABYTES:
            disks.unmount(self.disk(part))


def faketime(clock: Path) -> dict[str, str]:
    """Variables that have a process read from a file, each second, how far its clock is off; not the monotonic one."""
    found = find_spec("libfaketime")
    libraries = list(Path(found.origin).parent.rglob("libfaketime.so*")) if found and found.origin else []
    if not libraries:
        return {}
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Else it makes waits on the monotonic clock end at once, and whoever waits for Python's lock spins.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


@contextmanager
def opened(world: World) -> Iterator[World]:
    """The world, ended whatever happens."""
    try:
        world.open()
        yield world
    finally:
        world.close()
