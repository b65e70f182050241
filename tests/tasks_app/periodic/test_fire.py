"""What is due is decided once, by the library's own rules."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery import current_app
from django_celery_beat.models import ClockedSchedule, PeriodicTask, PeriodicTasks, SolarSchedule

from tasks_app.models import PeriodicCheck, PeriodicMessage
from tasks_app.periodic.fire import BATCH, fire
from tests.tasks_app.factories import NOW
from tests.tasks_app.periodic.rows import a_periodic_task, crontab, every, later, look_at, planned, sent

pytestmark = pytest.mark.django_db


def test_an_interval_fires_and_is_planned_again():
    row = a_periodic_task(args='[1, "two"]', kwargs='{"three": 3}')
    assert look_at(NOW) == []
    assert planned(row) == later(10)
    (message,) = look_at(later(10.5))
    assert (message["task"], message["args"], message["kwargs"]) == ("shop.tick", [1, "two"], {"three": 3})
    assert message["headers"] == {"periodic_task_name": row.name, "celery_beat_task": True}
    row.refresh_from_db()
    assert (row.last_run_at, row.total_run_count, planned(row)) == (later(10.5), 1, later(20.5))
    assert look_at(later(11)) == []
    assert look_at(later(20)) == []
    assert len(look_at(later(20.5))) == 1


def test_what_the_row_says_of_its_message_is_in_it():
    options = {"queue": "slow", "exchange": "jobs", "routing_key": "jobs.slow", "priority": 7}
    a_periodic_task(**options, headers='{"tenant": "acme"}', expire_seconds=30)
    (message,) = look_at(later(10))
    assert options.items() <= message.items()
    assert message["headers"]["tenant"] == "acme"
    assert message["expires"] == later(40)


def test_a_crontab_in_its_own_time_zone():
    row = a_periodic_task(crontab=crontab("30 2 * * *", "Asia/Kolkata"))
    assert look_at(NOW) == []
    nine_pm = datetime(2030, 1, 1, 21, tzinfo=UTC)
    assert planned(row) == nine_pm
    assert look_at(nine_pm - timedelta(microseconds=1)) == []
    assert len(look_at(nine_pm)) == 1
    assert planned(row) == nine_pm + timedelta(days=1)


def test_a_crontab_in_the_time_zone_of_all(settings, monkeypatch):
    """As for who never had one for each crontab."""
    settings.DJANGO_CELERY_BEAT_TZ_AWARE = False
    monkeypatch.setitem(current_app.__dict__, "timezone", ZoneInfo("Asia/Tokyo"))
    row = a_periodic_task(crontab=crontab("30 2 * * *", "Asia/Kolkata"))
    look_at(NOW)
    assert planned(row) == datetime(2030, 1, 1, 17, 30, tzinfo=UTC)


def test_after_an_outage_it_fires_once():
    hourly, often = a_periodic_task(crontab=crontab("0 * * * *")), a_periodic_task()
    look_at(NOW)
    assert len(look_at(NOW + timedelta(hours=5, minutes=30))) == 2
    assert planned(hourly) == NOW + timedelta(hours=6)
    assert planned(often) == NOW + timedelta(hours=5, minutes=30, seconds=10)


def test_a_clocked_row_fires_once_and_is_over():
    row = a_periodic_task(clocked=ClockedSchedule.objects.create(clocked_time=later(60)), one_off=True)
    assert look_at(NOW) == []
    assert planned(row) == later(60)
    assert len(look_at(later(60))) == 1
    row.refresh_from_db()
    assert (row.enabled, row.last_run_at, planned(row)) == (False, None, None)
    assert look_at(later(70)) == []


def test_a_one_off_fires_once_and_again_when_it_is_enabled_again():
    row = a_periodic_task(one_off=True)
    assert len(look_at(later(10))) == 1
    assert look_at(later(100)) == []
    row.refresh_from_db()
    assert row.enabled is False
    PeriodicTask.objects.filter(pk=row.pk).update(enabled=True)
    assert len(look_at(later(200))) == 1


def test_a_one_off_that_its_own_scheduler_has_run_is_over():
    row = a_periodic_task(one_off=True, total_run_count=1, last_run_at=NOW)
    assert look_at(later(60)) == []
    row.refresh_from_db()
    assert row.enabled is False


def test_nothing_before_the_start_and_nothing_after_the_end():
    starting = a_periodic_task(start_time=later(60))
    ending = a_periodic_task(expires=later(15))
    assert [m["headers"]["periodic_task_name"] for m in look_at(later(10))] == [ending.name]
    assert planned(starting) == later(60)
    assert [m["headers"]["periodic_task_name"] for m in look_at(later(60))] == [starting.name]
    ending.refresh_from_db()
    assert ending.enabled is False


def test_the_sun():
    noon = SolarSchedule.objects.create(event="solar_noon", latitude=51.48, longitude=0)
    row = a_periodic_task(solar=noon)
    look_at(NOW)
    at = planned(row)
    assert NOW < at < later(600)
    assert len(look_at(at + timedelta(seconds=1))) == 1


BROKEN = {
    "no minute": lambda: {"crontab": crontab("61 * * * *"), "interval": None},
    "no crontab": lambda: {"crontab": crontab("x/y * * * *"), "interval": None},
    "no schedule": lambda: {"interval": None},
    "no period": lambda: {"interval": every(1, "fortnights")},
    "no time": lambda: {"interval": every(2_000_000_000, "days")},
    "too far": lambda: {"interval": every(900_000_000, "days")},
    "no list": lambda: {"args": '{"a": 1}'},
    "no object": lambda: {"kwargs": "[1]"},
    "no headers": lambda: {"headers": "[1]"},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_row_stops_no_other(kind, caplog):
    broken, good = a_periodic_task(), a_periodic_task()
    PeriodicTask.objects.filter(pk=broken.pk).update(**BROKEN[kind]())
    assert [m["headers"]["periodic_task_name"] for m in look_at(later(10))] == [good.name]
    assert broken.name in caplog.text
    assert planned(broken) > later(1000)
    broken.save()  # as it was before
    PeriodicTask.objects.filter(pk=broken.pk).update(date_changed=later(5))
    names = [message["headers"]["periodic_task_name"] for message in look_at(later(20))]
    assert sorted(names) == sorted([good.name, broken.name]), "once it is mended"


def test_arguments_that_are_no_json_disable_a_row():
    row = a_periodic_task(args="[1")
    assert look_at(later(10)) == []
    row.refresh_from_db()
    assert row.enabled is False


def test_a_form_that_was_read_before_a_fire_and_saved_after_it_fires_nothing_twice():
    row = a_periodic_task(crontab=crontab("* * * * *"), made_at=NOW - timedelta(days=1), last_run_at=later(-60))
    form = PeriodicTask.objects.get(pk=row.pk)
    assert len(look_at(NOW)) == 1
    form.description = "edited"
    form.save()
    form.refresh_from_db()
    assert form.last_run_at == later(-60)
    assert look_at(later(1)) == []
    assert planned(row) == later(60)


def test_firing_writes_nothing_that_its_marker_tells():
    a_periodic_task()
    sync_marker = PeriodicTasks.last_change()
    assert len(look_at(later(10))) == 1
    assert PeriodicTasks.last_change() == sync_marker


def test_a_row_that_is_gone_is_forgotten():
    row = a_periodic_task()
    look_at(NOW)
    row.delete()
    assert look_at(later(10)) == []
    assert PeriodicCheck.objects.count() == 0


def test_many_rows_cost_few_statements(django_assert_max_num_queries):
    for number in range(BATCH):
        a_periodic_task(args=json.dumps([number]))
    look_at(NOW)
    with django_assert_max_num_queries(9):
        fire(later(10))
    assert PeriodicMessage.objects.count() == BATCH
    assert sorted(message["args"][0] for message in sent()) == list(range(BATCH))
