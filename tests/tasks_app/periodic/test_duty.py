"""A dispatcher's turn: what it costs where there is nothing to do, and how soon it notices edits."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from tasks_app.models import PeriodicCheck
from tasks_app.periodic import duty
from tasks_app.periodic.changes import sync
from tasks_app.periodic.duty import POLL_SECONDS, Periodic
from tests.acceptance.harness import ROOT, sqlite_database
from tests.tasks_app.factories import NOW
from tests.tasks_app.periodic.rows import a_periodic_task, every, later, look_at, planned, sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def periodic(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One that keeps what it would send."""
    found = Periodic()
    monkeypatch.setattr(found._post, "send", lambda seconds: False)
    return found


def turn(periodic: Periodic, seconds: float) -> float:
    """Some seconds later than `NOW`, whatever the time is for us."""
    periodic._turn_at = 0.0
    return periodic.turn(later(seconds))


def test_where_there_are_no_rows_it_is_one_statement(periodic: Periodic):
    turn(periodic, 0)
    with CaptureQueriesContext(connection) as queries:
        assert turn(periodic, 1) == pytest.approx(POLL_SECONDS, abs=0.1)
        periodic.turn(later(1.5))
    assert len(queries) == 1


def test_rows_that_are_not_due_cost_nothing_more(periodic: Periodic):
    for _ in range(20):
        a_periodic_task(interval=every(1, "days"))
    turn(periodic, 0)
    with CaptureQueriesContext(connection) as queries:
        turn(periodic, 1)
    assert len(queries) == 1


def test_it_comes_again_when_something_is_due(periodic: Periodic):
    a_periodic_task(interval=every(1500, "microseconds"))
    turn(periodic, 0)
    assert turn(periodic, 0.1) < 0.011
    assert len(sent()) == 1


def test_what_is_made_enabled_disabled_or_planned_otherwise_is_noticed_at_the_next_turn(periodic: Periodic):
    turn(periodic, 0)
    row = a_periodic_task()
    turn(periodic, 1)
    assert planned(row) == later(10)
    row.enabled = False
    row.save()
    turn(periodic, 11)
    assert (planned(row), sent()) == (None, [])
    row.enabled = True
    row.save()
    PeriodicTask.objects.update(date_changed=later(12))
    turn(periodic, 12)
    assert planned(row) == later(22)
    schedule = IntervalSchedule.objects.get(pk=row.interval_id)
    schedule.every = 30
    schedule.save()
    turn(periodic, 13)
    assert planned(row) == later(42)


def test_what_is_edited_in_bulk_is_noticed_by_its_marker(periodic: Periodic):
    row = a_periodic_task()
    turn(periodic, 0)
    PeriodicTask.objects.update(interval=every(3))
    PeriodicTasks.update_changed()
    turn(periodic, 1)
    assert planned(row) == later(3)


def test_rows_that_are_brought_along_are_noticed(periodic: Periodic, tmp_path: Path):
    row = a_periodic_task(last_run_at=later(-3))
    call_command("dumpdata", "django_celery_beat", output=str(tmp_path / "rows.json"), verbosity=0)
    row.delete()
    turn(periodic, 0)
    call_command("loaddata", str(tmp_path / "rows.json"), verbosity=0)
    turn(periodic, 1)
    assert planned(PeriodicTask.objects.get()) == later(7)


def test_and_without_it_after_a_while(periodic: Periodic, monkeypatch):
    turn(periodic, 0)
    other = a_periodic_task()
    PeriodicTasks.objects.all().delete()
    periodic._marker = None
    turn(periodic, 1)
    assert not PeriodicCheck.objects.exists()
    periodic._sync_at = 0.0
    turn(periodic, 2)
    assert planned(other) == later(10)


def test_only_what_was_edited_is_looked_at_again():
    rows = [a_periodic_task() for _ in range(5)]
    assert (sync(NOW), sync(NOW)) == (5, 0)
    look_at(NOW)
    rows[2].save()
    assert sync(later(1)) == 1


def test_messages_that_wait_are_sent_without_anything_due(periodic: Periodic, monkeypatch):
    asked: list[float] = []
    monkeypatch.setattr(periodic._post, "send", lambda seconds: asked.append(seconds) or True)
    turn(periodic, 0)
    assert asked == []
    a_periodic_task()
    turn(periodic, 0)
    assert turn(periodic, 10) == 0.0
    assert turn(periodic, 10) == 0.0
    assert asked == [duty.SEND_SECONDS] * 2


LATE = """
import sys, django; django.setup()
assert "django_celery_beat.models" not in sys.modules
from tasks_app.periodic.duty import Periodic
from tests.tasks_app.factories import NOW
periodic = Periodic()
periodic.turn(NOW)
assert "django_celery_beat.models" not in sys.modules
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO tasks_app_periodiccheck (periodic_task, check_at, seen) VALUES (7, '2029-01-01', '')")
periodic._turn_at = 0.0
periodic.turn(NOW)
assert "django_celery_beat.models" in sys.modules
from tasks_app.models import PeriodicCheck
assert not PeriodicCheck.objects.exists(), "its row is gone"
"""


def test_the_library_is_loaded_when_there_is_a_row(tmp_path: Path):
    """In a process that serves no page."""
    url, _ = sqlite_database(tmp_path)
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "scheduler_project.settings_dispatcher"}
    done = subprocess.run([sys.executable, "-c", LATE], env=environment, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
