"""The engine: a database that is away costs each request little time, and is used again as soon as it is back."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError

from scheduler_project import databases
from scheduler_project.postgresql.base import PATIENCE_SECONDS, DatabaseWrapper
from scheduler_project.postgresql.connection import SPARE_SECONDS
from scheduler_project.postgresql.watch import watch
from services import PostgreSQL
from tests.chaos.relay import Network
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _may_connect(django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def settings_of(private_postgresql: PostgreSQL) -> Iterator[dict]:
    found = databases.parse(private_postgresql.url)
    options = found["OPTIONS"] | {"pool": dict(databases.POOL)}
    found |= {"OPTIONS": options, "TIME_ZONE": None, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False}
    yield found
    DatabaseWrapper(found, "private").close_pool()


def ask(settings: dict) -> tuple[bool, float]:
    """As a request does on its thread: connect, ask, give the connection back. True if it went well; seconds."""
    began = time.monotonic()
    wrapper = DatabaseWrapper(settings, "private")
    try:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return False, time.monotonic() - began
    finally:
        wrapper.close()
    return True, time.monotonic() - began


def ask_all(settings: dict, number: int = 16) -> list[tuple[bool, float]]:
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(ask, [settings] * number))


def test_our_settings_use_it(settings_of):
    assert settings_of["ENGINE"] == DatabaseWrapper.__module__.removesuffix(".base")


def test_away_and_back(private_postgresql: PostgreSQL, settings_of):
    assert all(well for well, _ in ask_all(settings_of))
    private_postgresql.kill()
    first = ask_all(settings_of)
    assert not any(well for well, _ in first)
    assert max(seconds for _, seconds in first) < PATIENCE_SECONDS + 0.5
    # From now on it is known.
    for _ in range(3):
        answers = ask_all(settings_of)
        assert not any(well for well, _ in answers)
        assert max(seconds for _, seconds in answers) < 0.3
    private_postgresql.start()
    began = time.monotonic()
    wait_until(lambda: ask(settings_of)[0], 5, "it is used again")
    assert time.monotonic() - began < 1.5
    assert all(well for well, _ in ask_all(settings_of))


def test_a_restart_that_nobody_noticed_leaves_no_broken_connections(private_postgresql: PostgreSQL, settings_of):
    ask_all(settings_of)
    private_postgresql.kill()
    private_postgresql.start()
    wait_until(lambda: all(well for well, _ in ask_all(settings_of)), 5, "all is well")


def test_a_pool_that_is_busy_is_not_away(settings_of):
    settings_of["OPTIONS"]["pool"]["max_size"] = 2
    holders = [DatabaseWrapper(settings_of, "private") for _ in range(2)]
    for holder in holders:
        holder.ensure_connection()
    assert not ask(settings_of)[0]
    holders[0].close()
    wait_until(lambda: ask(settings_of)[0], 5, "there is room")
    holders[1].close()
    wait_until(lambda: not watch.is_away(DatabaseWrapper(settings_of, "private").pool), 5, "the watch has ended")


@pytest.fixture
def half_open(network: Network, private_postgresql: PostgreSQL, settings_of) -> Callable[[], None]:
    """Connections go through a relay; called, those that exist are dead, and nobody is told."""
    settings_of["PORT"] = urlsplit(network.way("web", "database", private_postgresql.url)).port
    settings_of["OPTIONS"]["options"] = "-c statement_timeout=1s"
    return network.between("web", "database").half_open


def test_a_server_that_does_not_answer_is_waited_for_as_long_as_a_statement_may_take(half_open, settings_of):
    wrapper = DatabaseWrapper(settings_of, "private")
    with wrapper.cursor() as cursor:
        assert wrapper.connection.patience == 1 + SPARE_SECONDS
        half_open()
        began = time.monotonic()
        with pytest.raises(OperationalError):
            cursor.execute("SELECT 1")
        assert time.monotonic() - began < 10
    wrapper.close()
    wait_until(lambda: ask(settings_of)[0], 10, "others connect anew")


def test_connections_of_the_pool_that_are_dead_are_given_up(half_open, settings_of):
    assert all(well for well, _ in ask_all(settings_of))
    half_open()
    wait_until(lambda: all(well for well, _ in ask_all(settings_of)), 10, "all is well")


def test_what_the_server_refuses_breaks_no_connection(settings_of):
    settings_of["OPTIONS"]["options"] = "-c statement_timeout=100ms"
    wrapper = DatabaseWrapper(settings_of, "private")
    with wrapper.cursor() as cursor:
        with pytest.raises(OperationalError, match="statement timeout"):
            cursor.execute("SELECT pg_sleep(5)")
        cursor.execute("SELECT 1")
    wrapper.close()
