"""A run is cancelled while a dispatcher moves it: whichever comes first, it ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from tasks_app import actions, transitions
from tasks_app.models import TaskRun
from tasks_app.transitions import Ending
from tests.tasks_app.factories import NOW, a_worker, an_active_run
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.only("postgresql")]

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def cancel(run: TaskRun) -> int:
    try:
        return actions.cancel([run], NOW)
    finally:
        connections.close_all()


def is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("status", ["assigned", "running"])
def test_a_run_that_is_handed_back_meanwhile(status: str, broker_url: str):
    """It was active when the request to cancel came, and is pending when that gets at it."""
    run = an_active_run(a_worker(), status=status)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert transitions.end([Ending(run, "pending", "undelivered", available_at=NOW)], NOW)
            cancelled = pool.submit(cancel, run)
            wait_until(is_waited_for, 10, "the other one waits for the row")
        assert cancelled.result(10) == 1
    run.refresh_from_db()
    assert (run.status, run.reason, run.attempt) == ("cancelled", "cancelled", 2)
