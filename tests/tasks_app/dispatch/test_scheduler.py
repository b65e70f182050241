"""The loop around the duties."""

from uuid import uuid4

import pytest
from django.db import DataError, connection, transaction

from tasks_app.dispatch import scheduler
from tasks_app.dispatch.assign import assign
from tasks_app.dispatch.record import record
from tasks_app.dispatch.scheduler import AWAY, Dispatcher
from tasks_app.models import TaskRun
from tests.tasks_app.factories import NOW, a_task, a_worker, an_active_run
from workers_app.messaging.protocol import AttemptKey, Finished, Reports

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatcher() -> Dispatcher:
    """One without a broker."""
    return Dispatcher.__new__(Dispatcher)


class NoMail:
    """Nothing comes, and nothing arrives."""

    since = 0.0

    def arrived(self, now):
        return []

    def confirm(self):
        pass

    def send(self, letters, now):
        pass


def success(run: TaskRun) -> Reports:
    return Reports(uuid4(), [Finished(AttemptKey(run.pk, 1), "", 0)])


@pytest.mark.only("postgresql")
def test_a_database_that_takes_no_changes_costs_no_message(dispatcher: Dispatcher, database: str):
    """It has become a standby, say. The messages are not confirmed, and come again."""
    run = an_active_run(a_worker())

    def commit() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
            dispatcher._commit(record, [success(run), success(run)], NOW)

    with pytest.raises(AWAY):
        commit()


def test_a_message_that_the_database_refuses_costs_no_other(dispatcher: Dispatcher):
    good, bad = an_active_run(a_worker()), an_active_run(a_worker())

    def duty(messages, now):
        if any(item.key.run == bad.pk for message in messages for item in message.items):
            raise DataError("as a value that no column takes")
        record(messages, now)

    assert dispatcher._commit(duty, [success(bad), success(good)], NOW) == []
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == ("succeeded", "running")


def test_what_is_fired_is_assigned_with_it_or_not_at_all(dispatcher: Dispatcher, monkeypatch):
    """Whoever is killed in between would leave runs that nobody knows to be pending."""
    a_worker()
    task = a_task(schedule="* * * * *", next_fire_at=NOW)
    dispatcher.setup_schedule()
    dispatcher._mail = NoMail()
    dispatcher._recover_at = float("inf")

    def dies(now, placements, **options):
        if placements:
            raise KeyboardInterrupt
        return assign(now, placements, **options)

    monkeypatch.setattr(scheduler, "assign", dies)
    with pytest.raises(KeyboardInterrupt):
        dispatcher._duties(NOW)
    task.refresh_from_db()
    assert (task.next_fire_at, TaskRun.objects.count()) == (NOW, 0)
    monkeypatch.setattr(scheduler, "assign", assign)
    dispatcher._duties(NOW)
    assert [run.status for run in TaskRun.objects.all()] == ["assigned"]
