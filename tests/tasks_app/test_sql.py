"""Many rows in one statement, on whichever database the tests run."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_app import transitions
from tasks_app.models import TaskRun
from tasks_app.sql import update
from tests.tasks_app.factories import NOW, a_run, a_task

pytestmark = pytest.mark.django_db


def test_each_row_gets_its_own_values():
    runs = [a_run(a_task()) for _ in range(3)]
    results = [{"a": [1, "ü", None]}, "text", None]
    rows = [
        {
            "id": run.pk,
            "priority": n,
            "result": results[n],
            "available_at": NOW + timedelta(microseconds=n),
            "error": "'",
        }
        for n, run in enumerate(runs)
    ]
    assert set(update(TaskRun, ["id"], rows)) == {run.pk for run in runs}
    for n, run in enumerate(runs):
        run.refresh_from_db()
        assert (run.priority, run.result, run.available_at, run.error) == (
            n,
            results[n],
            NOW + timedelta(microseconds=n),
            "'",
        )


def test_only_rows_that_match_change_and_are_returned():
    run, other = a_run(), a_run()
    rows = [{"id": run.pk, "attempt": 1, "priority": 7}, {"id": other.pk, "attempt": 2, "priority": 7}]
    assert update(TaskRun, ["id", "attempt"], rows, "target.status = 'pending'") == [run.pk]
    assert update(TaskRun, ["id", "attempt"], rows, "target.status = 'running'") == []
    assert update(TaskRun, ["id"], []) == []


@pytest.mark.only("sqlite")
def test_moves_find_their_rows_by_primary_key():
    task = a_task()
    runs = [a_run(task) for _ in range(5)]
    with CaptureQueriesContext(connection) as queries:
        transitions.start([(run.pk, 1, NOW) for run in runs])
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"].replace("%", "%%"))
        plan = " | ".join(row[3] for row in cursor.fetchall())
    assert "SEARCH target USING INDEX sqlite_autoindex" in plan, plan
