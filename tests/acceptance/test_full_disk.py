"""A disk is full for longer than a lease, and then is not: nobody ends, no accepted run is lost, and it is said."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.chaos import disks
from tests.chaos.world import LEASE_SECONDS, World, opened
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not disks.allowed(), reason="this machine does not let us mount a small disk"),
]


@pytest.fixture(scope="module")
def world(postgresql, redis_server) -> Iterator[World]:
    """With both servers there, private ones on small disks can be had too."""
    with tempfile.TemporaryDirectory(prefix="scheduler-disks-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        with opened(World(Path(folder) / "world", "streams", "postgresql", clocks=False)) as found:
            yield found


def trigger(world: World, task: int, seconds: float) -> list[str]:
    """Ask for runs for so long; what was accepted. Nothing is answered otherwise than with “later”."""
    accepted = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status, body = world.stack.request("POST", f"tasks/{task}/run/", {}, {"Idempotency-Key": str(uuid4())})
        assert status in (202, 503), body
        if status == 202:
            accepted.append(body["id"])
    return accepted


def all_succeed(world: World, runs: list[str]) -> None:
    for run in runs:
        world.stack.wait_for(run, seconds=60)


def log(world: World, *roles: str) -> str:
    """What these have said."""
    return "".join((world.folder / f"{m.name}.log").read_text() for role in roles for m in world.of(role))


def test_a_worker_s_disk(world: World):
    """What needs room there fails with the reason; other runs and the worker go on."""
    task = world.stack.task("sleep 0.1", name="worker")
    writes = world.stack.task('head -c 20000000 /dev/zero > "$(mktemp)"', name="writes")
    with disks.filled(world.disk("worker")):
        failed = world.stack.wait_for(world.stack.run(writes), "failed")
        assert failed["exit_code"]
        assert "No space left" in world.stack.log(failed["id"])
        runs = trigger(world, task, 3)
        all_succeed(world, runs)
    assert runs
    assert not any(member.restarts for member in world.of("worker"))


@pytest.mark.parametrize("part", ["broker", "database"])
def test_a_server_s_disk(world: World, part: str):
    """As if the server were away; PostgreSQL may end by it, and is started again by whoever looks after it."""
    task = world.stack.task("sleep 0.1", name=part)
    before = trigger(world, task, 1)
    with disks.filled(world.disk(part)):
        runs = trigger(world, task, LEASE_SECONDS + 2)
    for server in (world.broker, world.postgresql):
        server.start()
    wait_until(world.healed, 30, "all is well again")
    all_succeed(world, before + runs + trigger(world, task, 1))
    assert not any(member.restarts for member in world.members)
    assert f"{part}_away" in log(world, "dispatcher", "worker")
