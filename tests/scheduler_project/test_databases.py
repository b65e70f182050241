"""`DATABASE_URL` in, connections out."""

import pytest
from django.db import OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models.signals import pre_migrate
from django.utils.connection import ConnectionProxy

from scheduler_project import databases
from services import Entry, load


@pytest.fixture(autouse=True)
def _may_connect(django_db_blocker):
    with django_db_blocker.unblock():
        yield


def wrapper(url: str, **options: str) -> DatabaseWrapper:
    settings = databases.parse(url)
    settings["OPTIONS"] |= options
    settings |= {"TIME_ZONE": None, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False}
    return DatabaseWrapper(settings, f"test-{url}-{options}")


def ask(connection: DatabaseWrapper | ConnectionProxy, question: str) -> object:
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0]
    finally:
        connection.close()
        connection.close_pool()


def test_postgresql_over_tls_with_the_server_verified(postgresql: Entry):
    encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert ask(wrapper(postgresql.tls_url), encrypted) is True
    with pytest.raises(OperationalError, match="couldn't get a connection"):
        ask(wrapper(postgresql.tls_url, sslrootcert=str(load().certificates.other_ca)), encrypted)


def test_connections_come_from_a_pool_and_say_who_they_are(postgresql: Entry):
    connection = wrapper(postgresql.url)
    assert connection.pool.max_size == databases.POOL["max_size"]
    assert ask(connection, "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()") == "scheduler"


def test_sqlite_is_durable_and_waits_its_turn():
    found = databases.parse("sqlite:////tmp/x.sqlite3")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in found["OPTIONS"]["init_command"]


@pytest.mark.parametrize(("name", "value"), databases.LIMITS.items())
def test_no_session_of_a_service_waits_for_ever(postgresql: Entry, name: str, value: str):
    assert ask(wrapper(postgresql.url), f"SHOW {name}") == value


@pytest.mark.only("postgresql")
@pytest.mark.django_db
def test_a_migration_may_take_its_time_but_waits_for_no_lock(database):
    with connection.cursor() as cursor:
        for name, value in databases.LIMITS.items():
            cursor.execute(f"SET LOCAL {name} = '{value}'")
        pre_migrate.send(sender=None, using="default")
        found = {}
        for name in databases.LIMITS:
            cursor.execute(f"SHOW {name}")
            found[name] = cursor.fetchone()[0]
    assert found == {"lock_timeout": "2s", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
