"""The nemesis' faults. Each is a context manager: the fault is there within, and healed after it."""

import random
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

import psutil
import psycopg

from services import Server
from tests.chaos import disks
from tests.chaos.relay import UP
from tests.chaos.world import LEASE_SECONDS, Member, World, signal_to

Choice = random.Random
Fault = Callable[[World, Choice], AbstractContextManager[str]]
"""Yields what it did to whom, in words for the history."""

SECONDS = (10.0, 30.0)
"""How long a fault lasts, unless `LASTS` says otherwise."""
AGAIN_SECONDS = (1.0, 4.0)
CLOCKS = ("+3600", "-3600", "+600", "-600")
DELAY_SECONDS = (0.05, 0.4)


@contextmanager
def _again_and_again(act: Callable[[], object], choice: Choice) -> Iterator[None]:
    """Act now and then until the end of the block."""
    end = threading.Event()

    def work() -> None:
        act()
        while not end.wait(choice.uniform(*AGAIN_SECONDS)):
            act()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _killing(role: str) -> Fault:
    @contextmanager
    def fault(world: World, choice: Choice) -> Iterator[str]:
        with _again_and_again(lambda: choice.choice(world.of(role)).kill(), choice):
            yield f"SIGKILL to any {role}, again and again"

    return fault


@contextmanager
def kill_run(world: World, choice: Choice) -> Iterator[str]:
    """The commands themselves are killed, as by the kernel when memory is short."""

    def act() -> None:
        commands = [p for member in world.of("worker") for p in member.family() if _is_command(p)]
        if commands:
            signal_to(choice.choice(commands), signal.SIGKILL)

    with _again_and_again(act, choice):
        yield "SIGKILL to commands"


def _is_command(process: psutil.Process) -> bool:
    try:
        return any(word.endswith("ledger.py") for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False


@contextmanager
def freeze(world: World, choice: Choice) -> Iterator[str]:
    """A dispatcher and a worker stand still for longer than a lease, with or without all they have started."""
    whole = choice.random() < 0.5
    victims: list[Member] = [choice.choice(world.of("dispatcher")), choice.choice(world.of("worker"))]
    stopped = [each for member in victims for each in member.freeze(whole)]
    try:
        yield f"SIGSTOP to {' and '.join(each.name for each in victims)}{' and all they started' if whole else ''}"
    finally:
        for each in stopped:
            signal_to(each, signal.SIGCONT)


@contextmanager
def _down(server: Server) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextmanager
def broker_killed(world: World, choice: Choice) -> Iterator[str]:
    with _down(world.broker):
        yield "broker killed"


@contextmanager
def broker_wiped(world: World, choice: Choice) -> Iterator[str]:
    """Killed, and started with nothing of what it had."""
    world.broker.kill()
    world.broker.delete_data()
    world.broker.start()
    yield "broker started empty"


@contextmanager
def database_killed(world: World, choice: Choice) -> Iterator[str]:
    assert world.postgresql
    with _down(world.postgresql):
        yield "database killed"


@contextmanager
def partition(world: World, choice: Choice) -> Iterator[str]:
    """Some of our processes are cut off from one server: wholly, one way, half-open, or their connections break."""
    server = choice.choice(sorted({server for _, server in world.network.relays}))
    names = sorted(name for name, other in world.network.relays if other == server)
    victims = choice.sample(names, choice.randint(1, len(names)))
    kind = choice.choice(["cut", "cut up", "cut down", "half-open", "reset"])
    relays = [world.network.between(name, server) for name in victims]
    for relay in relays:
        match kind.split():
            case ["cut", *directions]:
                relay.cut(*directions)
            case ["half-open"]:
                relay.half_open()
            case _:
                relay.reset()
    try:
        yield f"{kind}: {', '.join(victims)} from the {server}"
    finally:
        world.network.heal()


@contextmanager
def worker_unheard(world: World, choice: Choice) -> Iterator[str]:
    """What a worker says is held back for longer than its lease, and then comes all at once."""
    victim = choice.choice(world.of("worker")).name
    world.network.between(victim, "broker").cut(UP)
    try:
        yield f"what {victim} says is held back"
    finally:
        world.network.heal()


@contextmanager
def slow_network(world: World, choice: Choice) -> Iterator[str]:
    """Everything to and from one server is late."""
    server = choice.choice(sorted({server for _, server in world.network.relays}))
    delay = choice.uniform(*DELAY_SECONDS)
    for relay in world.network.of(server):
        relay.delay = delay
    try:
        yield f"{server} answers {delay:.2f} s late each way"
    finally:
        world.network.heal()


@contextmanager
def clocks(world: World, choice: Choice) -> Iterator[str]:
    """The clocks of our machines, but not the database's, jump by ten minutes or an hour, each way, again and again."""
    try:
        with _again_and_again(
            lambda: world.set_clock(choice.choice(world.members).name, choice.choice(CLOCKS)), choice
        ):
            yield "any clock set, again and again"
    finally:
        for member in world.members:
            world.set_clock(member.name, "+0")


def _full(part: str) -> Fault:
    @contextmanager
    def fault(world: World, choice: Choice) -> Iterator[str]:
        try:
            with disks.filled(world.disk(part)):
                yield f"the {part}'s disk is full"
        finally:
            # Both servers give up when they cannot write; whoever looks after them starts them again.
            for server in (world.broker, world.postgresql):
                if server:
                    server.start()

    return fault


@contextmanager
def transaction_held(world: World, choice: Choice) -> Iterator[str]:
    """Somebody holds the rows of tasks and open runs, or all of SQLite, and does not commit."""
    if not world.postgresql:
        with closing(sqlite3.connect(world.disk("database") / "db.sqlite3", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield "the database locked"
        return
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(closing(psycopg.connect(world.postgresql.url)))
            connection.execute("SELECT 1 FROM tasks_app_task FOR UPDATE")
            connection.execute("SELECT 1 FROM tasks_app_taskrun WHERE status IN ('pending', 'assigned') FOR UPDATE")
        except psycopg.OperationalError:
            yield "no rows locked, as another fault has the database"
        else:
            yield "rows of tasks and runs locked"


FAULTS: dict[str, Fault] = {
    "kill_dispatcher": _killing("dispatcher"),
    "kill_worker": _killing("worker"),
    "kill_run": kill_run,
    "freeze": freeze,
    "broker_killed": broker_killed,
    "broker_restarted": broker_killed,
    "broker_wiped": broker_wiped,
    "database_killed": database_killed,
    "partition": partition,
    "reports_late": worker_unheard,
    "worker_unheard": worker_unheard,
    "slow_network": slow_network,
    "clocks": clocks,
    "disk_full_worker": _full("worker"),
    "disk_full_broker": _full("broker"),
    "disk_full_database": _full("database"),
    "transaction_held": transaction_held,
}
LASTS: dict[str, tuple[float, float]] = {
    "freeze": (3 * LEASE_SECONDS, 3 * LEASE_SECONDS),
    # A lease outlives it, what is sent meanwhile does not. Dispatchers try to connect for 2 s, so they send every 2 s.
    "broker_restarted": (0.46 * LEASE_SECONDS, 0.5 * LEASE_SECONDS),
    # What runs again, because nobody heard how it ended, still runs when that is heard.
    "reports_late": (1.2 * LEASE_SECONDS, 1.35 * LEASE_SECONDS),
    # What began before it would, if nobody ended it, come to its end beside its successor.
    "worker_unheard": (2 * LEASE_SECONDS, 2.2 * LEASE_SECONDS),
}
"""Faults that say something about what is as long as they are."""
NEED_POSTGRESQL = {"database_killed", "clocks"}
"""SQLite is no process; and its time is that of whoever asks, so on one machine there is one clock only."""
NEED_DISKS = {"disk_full_worker", "disk_full_broker", "disk_full_database"}


def possible(database: str) -> list[str]:
    """The faults that this machine can have with this kind of database."""
    left_out = (NEED_POSTGRESQL if database == "sqlite" else set()) | (set() if disks.allowed() else NEED_DISKS)
    return [name for name in FAULTS if name not in left_out]


def lasting(names: list[str], choice: Choice) -> float:
    """How many seconds these faults shall last together."""
    return max(choice.uniform(*LASTS.get(name, SECONDS)) for name in names)


@contextmanager
def several(names: list[str], world: World, choice: Choice) -> Iterator[str]:
    """More than one fault at the same time."""
    with ExitStack() as stack:
        yield "; ".join(stack.enter_context(FAULTS[name](world, choice)) for name in names)
