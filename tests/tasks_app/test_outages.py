"""Which errors of a real database mean that it cannot serve at the moment, and what people are told of them."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.db.backends.sqlite3.base import DatabaseWrapper

from access_app.models import Namespace
from tasks_app import outages


def error_of(statement: str, *settings: str) -> Error:
    """What Django raises for a statement, under settings of the transaction."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for each in (*settings, statement):
                cursor.execute(each)
    except Error as error:
        return error
    pytest.fail("It went well.")


# PostgreSQL


@pytest.mark.django_db
@pytest.mark.only("postgresql")
def test_a_statement_that_takes_too_long():
    error = error_of("SELECT pg_sleep(5)", "SET LOCAL statement_timeout = 10")
    assert outages.explain(error) == "The database took too long to answer."


@pytest.mark.django_db(transaction=True)
@pytest.mark.only("postgresql")
def test_a_lock_that_others_hold():
    settings = connection.get_connection_params()
    where = {name: settings[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**where) as other:
        other.execute("LOCK TABLE access_app_namespace IN ACCESS EXCLUSIVE MODE")
        error = error_of("SELECT name FROM access_app_namespace", "SET LOCAL lock_timeout = 10")
    assert outages.explain(error) == outages.BUSY


@pytest.mark.django_db(transaction=True)
@pytest.mark.only("postgresql")
def test_a_database_that_only_reads():
    error = error_of("DELETE FROM access_app_namespace", "SET TRANSACTION READ ONLY")
    assert outages.explain(error) == outages.READ_ONLY


STATES = {
    "08006": outages.AWAY,
    "25P03": "taken it back",
    "40001": "taken it back",
    "40P01": "taken this one back",
    "53100": outages.FULL,
    "53200": "no memory",
    "53300": "no connection left",
    "53400": "too few resources",
    "57014": "too long",
    "57P01": outages.AWAY,
    "57P03": outages.AWAY,
    "58030": outages.DISK,
}


@pytest.mark.django_db
@pytest.mark.only("postgresql")
@pytest.mark.parametrize("state", STATES)
def test_what_the_server_says_of_itself(state):
    error = error_of(f"DO $$ BEGIN RAISE EXCEPTION 'secret detail' USING ERRCODE = '{state}'; END $$")
    sentence = outages.explain(error)
    assert STATES[state] in sentence
    assert "secret" not in sentence


FAULTS = {
    "SELECT nothing FROM nowhere": ProgrammingError,
    "SELECT 1 / 0": DataError,
    "INSERT INTO access_app_namespace (name) VALUES ('default'), ('default')": IntegrityError,
    "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '54000'; END $$": OperationalError,
    "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'XX000'; END $$": InternalError,
}


@pytest.mark.django_db
@pytest.mark.only("postgresql")
@pytest.mark.parametrize("statement", FAULTS)
def test_a_fault_of_ours_on_postgresql(statement):
    error = error_of(statement)
    assert type(error) is FAULTS[statement]
    assert outages.explain(error) is None


# SQLite


def sqlite(name: str, **options: object) -> DatabaseWrapper:
    settings = {"NAME": name, "OPTIONS": options, "TIME_ZONE": None, "AUTOCOMMIT": True, "CONN_MAX_AGE": 0}
    return DatabaseWrapper(settings | {"CONN_HEALTH_CHECKS": False, "ATOMIC_REQUESTS": False}, f"test-{name}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.sqlite3"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE t (text)")
    made.close()
    return path


def sqlite_error(wrapper: DatabaseWrapper, *statements: str) -> Error:
    try:
        with wrapper.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except Error as error:
        return error
    finally:
        wrapper.close()
    pytest.fail("It went well.")


FILL = "INSERT INTO t SELECT hex(randomblob(10000)) FROM json_each('[1,2,3,4,5,6,7,8,9]')"


def test_a_file_that_others_have_locked(file, django_db_blocker):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with django_db_blocker.unblock():
        assert outages.explain(sqlite_error(sqlite(str(file), timeout=0), "SELECT * FROM t")) == outages.BUSY
    other.close()


def test_a_file_that_may_only_be_read(file, django_db_blocker):
    with django_db_blocker.unblock():
        assert outages.explain(sqlite_error(sqlite(f"file:{file}?mode=ro"), FILL)) == outages.READ_ONLY


def test_a_full_disk(file, django_db_blocker):
    with django_db_blocker.unblock():
        assert outages.explain(sqlite_error(sqlite(str(file)), "PRAGMA max_page_count = 3", FILL)) == outages.FULL


def test_a_file_that_cannot_be_opened(django_db_blocker):
    with django_db_blocker.unblock():
        assert outages.explain(sqlite_error(sqlite("/nonexistent/x.sqlite3"), "SELECT 1")) == outages.AWAY


@pytest.mark.parametrize("statement", ["SELECT * FROM nowhere", "SELEKT", "SELECT nothing FROM t"])
def test_a_fault_of_ours_on_sqlite(file, statement, django_db_blocker):
    with django_db_blocker.unblock():
        error = sqlite_error(sqlite(str(file)), statement)
    assert isinstance(error, OperationalError)
    assert outages.explain(error) is None


@pytest.mark.django_db
def test_a_rule_that_is_broken_is_no_outage():
    Namespace.objects.create(name="twice")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Namespace.objects.create(name="twice")
    assert outages.explain(caught.value) is None


# Neither


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_an_error_that_no_server_has_sent(kind):
    assert outages.explain(kind("the connection is closed")) == outages.AWAY


@pytest.mark.parametrize("error", [None, RuntimeError("x"), KeyError("x"), InternalError("x"), OSError("x")])
def test_anything_else(error):
    assert outages.explain(error) is None
