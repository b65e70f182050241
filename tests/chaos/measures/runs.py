"""What measures ask of an installation: triggers, states, and whether anything was lost."""

import time
from collections.abc import Callable, Collection
from typing import Any

import psycopg

from tests.acceptance.harness import Stack
from tests.chaos.measures.ledger import Ledger
from tests.chaos.traffic import FAILURES
from tests.chaos.world import Member, World
from tests.waiting import wait_until

QUIET_SECONDS = 120.0
OPEN = "SELECT count(*) FROM tasks_app_taskrun WHERE status IN ('pending', 'assigned', 'running')"
SUCCEEDED = "SELECT id::text FROM tasks_app_taskrun WHERE status = 'succeeded'"
CONNECTED = b"Connected to the broker."


def trigger(stack: Stack, task: int, number: int) -> list[str]:
    """So many runs of a task, at once."""
    return [run["id"] for run in stack.post("runs/bulk/", [{"task": task}] * number)["runs"]]


def cancel_all(stack: Stack, runs: Collection[str]) -> None:
    """Have them end; those that have ended already are left as they are."""
    for run in runs:
        status, body = stack.request("POST", f"runs/{run}/cancel/")
        assert status in (202, 409), body


def rows(world: World, question: str) -> list[tuple[Any, ...]]:
    """What the database answers, asked without the scheduler."""
    assert world.postgresql
    with psycopg.connect(world.postgresql.url) as connection:
        return connection.execute(question.encode()).fetchall()


def quiet(world: World, seconds: float = QUIET_SECONDS) -> None:
    """Wait until every run has ended and all workers are online."""
    wait_until(lambda: rows(world, OPEN)[0][0] == 0, seconds, "every run has ended")
    wait_until(world.healed, seconds, "all workers are online")


def flow(ledger: Ledger, number: int) -> None:
    """Wait until so many further starts are in the ledger."""
    seen = len(ledger.starts)
    wait_until(lambda: len(ledger.starts) >= seen + number, 60, "the load flows")


def lost(world: World, accepted: Collection[str], ledger: Ledger) -> int:
    """How many accepted runs have not succeeded, or were never begun; to be asked when all is quiet."""
    succeeded = {run for (run,) in rows(world, SUCCEEDED)}
    return len(set(accepted) - (succeeded & ledger.begun))


def in_time(condition: Callable[[], Any], seconds: float, pause: float = 0.02) -> bool:
    """Whether `condition` holds within so many seconds; asking it may fail meanwhile, as when a server is away."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except (*FAILURES, AssertionError):
            pass
        time.sleep(pause)
    return False


class Hearing:
    """Whether a dispatcher, as it is started next, is connected to the broker."""

    def __init__(self, world: World, dispatcher: Member, *, since_start: bool = False) -> None:
        """`since_start`: the one that has been started first counts, too."""
        self._log = world.folder / f"{dispatcher.name}.log"
        self._since = 0 if since_start else self._log.stat().st_size

    def __call__(self) -> bool:
        return CONNECTED in self._log.read_bytes()[self._since :]


def dispatchers_listen(world: World) -> None:
    """Wait until all that were started with the world do."""
    for dispatcher in world.of("dispatcher"):
        wait_until(Hearing(world, dispatcher, since_start=True), 60, f"{dispatcher.name} listens")
