"""Every test that uses the database runs on SQLite and on PostgreSQL: one contract, two databases.

Tests of acceptance choose their own. The order of tests is pytest's, grouped by database.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.local import Local
from django.conf import settings
from django.db import connections
from pytest_django import DjangoDbBlocker

from scheduler_project import databases

DATABASES = ("sqlite", "postgresql")
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup"}

HANG_UP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
"""Threads that live on keep their connections; a database in use cannot be dropped."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker("django_db")
    if marked or DATABASE_FIXTURES.intersection(metafunc.fixturenames):
        only = metafunc.definition.get_closest_marker("only")
        metafunc.parametrize("database", only.args if only else DATABASES, indirect=True, scope="session")


@pytest.fixture(autouse=True, scope="session")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the database that the test runs on."""
    name = getattr(request, "param", "sqlite")
    if name == "sqlite":
        yield name
        return
    url = request.getfixturevalue("postgresql").url
    request.getfixturevalue("django_db_setup")
    blocker: DjangoDbBlocker = request.getfixturevalue("django_db_blocker")
    chosen = databases.parse(url)
    # A test is one transaction, and may be idle in it for longer than a service ever is.
    del chosen["OPTIONS"]["options"]
    # Its own, so that several test runs may share the server.
    chosen["TEST"] = {"NAME": f"test_{os.getpid()}"}
    with blocker.unblock():
        yield from _swapped(name, chosen)


def _swapped(name: str, chosen: dict[str, Any]) -> Iterator[str]:
    """Put the connection `default` on a test database of the server that `chosen` names, and take it away after."""
    before, connections_before = settings.DATABASES["default"], connections._connections
    settings.DATABASES["default"] = chosen
    connections.configure_settings(settings.DATABASES)
    # All threads begin anew: some live on, with a connection to the database before.
    connections._connections = Local(connections.thread_critical)
    server_database, creation = chosen["NAME"], connections["default"].creation
    creation.create_test_db(verbosity=0, autoclobber=True)
    yield name
    with connections["default"].cursor() as cursor:
        cursor.execute(HANG_UP)
    creation.destroy_test_db(server_database, verbosity=0)
    settings.DATABASES["default"], connections._connections = before, connections_before
