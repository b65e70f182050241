"""Somebody sets the database's clock, by ten minutes each way: no lease ends, nothing fires twice, runs go on."""

import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from services import PostgreSQL
from services.postgresql import ROOMY
from tests.acceptance.harness import Stack, prepare
from tests.brokers import address
from tests.chaos.world import faketime
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

MINUTES = 600


class SettablePostgreSQL(PostgreSQL):
    """Its clock is as far off as its file says."""

    clock: Path

    @property
    def environment(self) -> dict[str, str]:
        own = faketime(self.clock)
        # PostgreSQL runs as somebody who may not read what we have installed.
        return super().environment | own | {"LD_PRELOAD": shutil.copy(own["LD_PRELOAD"], self.clock.parent)}

    def set_clock(self, seconds: int) -> None:
        draft = self.clock.with_suffix(".new")
        draft.write_text(f"{seconds:+d}")
        draft.rename(self.clock)


@pytest.fixture
def postgresql_with_a_clock(tmp_path: Path, private_postgresql):
    """`private_postgresql` is only there so that the test is left out where there is none."""
    place = ROOMY / f"scheduler-clock-{uuid4().hex}"
    place.mkdir(mode=0o755)
    server = SettablePostgreSQL(tmp_path / "clock")
    server.clock = place / "clock"
    server.set_clock(0)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        server.delete_data()
        shutil.rmtree(place)


def fires(stack: Stack, task: int) -> list[str]:
    return [run["scheduled_for"] for run in stack.runs(task)]


def goes_on_firing(stack: Stack, task: int) -> None:
    before = len(fires(stack, task))
    wait_until(lambda: len(fires(stack, task)) >= before + 3, 20, "it fires")


def nothing_minds(stack: Stack, server: SettablePostgreSQL, seconds: int) -> None:
    """What runs outlives the moment and a lease, and what is new runs at once, each at its first attempt."""
    long = stack.run(stack.task("sleep 12", name=f"long {seconds}"))
    stack.wait_for(long, "running")
    server.set_clock(seconds)
    for run in (stack.run(stack.task("true", name=f"brief {seconds}")), long):
        assert stack.wait_for(run)["attempt"] == 1


def test_the_database_s_clock_is_set(postgresql_with_a_clock, make_stack, redis_server):
    server = postgresql_with_a_clock
    database = server.url, prepare(server.url)
    stack = make_stack(broker_url=address("streams", redis_server.url), database=database)
    stack.web()
    stack.dispatcher()
    stack.worker("first")
    tick = stack.task("true", name="tick", schedule="* * * * * *")
    goes_on_firing(stack, tick)
    nothing_minds(stack, server, MINUTES)
    goes_on_firing(stack, tick)
    nothing_minds(stack, server, 0)
    found = fires(stack, tick)
    assert len(found) == len(set(found))
    assert "clock_set" in (stack.folder / "dispatcher.log").read_text()
