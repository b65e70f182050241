"""Puts the code under test on the simulation's clock."""

import logging
import os
from collections.abc import Iterator

import pytest
from django.db.models import DateTimeField, Value

from tasks_app import clock as database_clock
from tasks_app.dispatch import mail, scheduler
from tests.simulation.channel import Post
from tests.simulation.clock import clock
from workers_app import registry
from workers_app.agent import consumer, lease, reporter
from workers_app.agent import settings as worker_settings
from workers_app.messaging import broker, envelope, hearing

READS_A_CLOCK = (consumer, lease, reporter, envelope, hearing, scheduler, mail, database_clock)


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everybody's time is the simulation's; what is logged for people to read is not even put together."""
    for module in READS_A_CLOCK:
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(scheduler, "database_now", lambda: clock.database)
    monkeypatch.setattr(registry, "Now", lambda: Value(clock.database, DateTimeField()))
    monkeypatch.setattr(consumer, "Sender", Post)
    monkeypatch.setattr(worker_settings, "NAME", worker_settings.NAME)
    broker.install_seal()
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def examples() -> int:
    """So many, or what `SIMULATION_EXAMPLES` says."""
    return int(os.environ.get("SIMULATION_EXAMPLES", "40"))
