"""`manage.py import_celery_beat`: what Celery beat would do, as tasks."""

import io
import shlex
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery.bin.celery import celery as celery_command
from django.core.management import CommandError, call_command
from django_celery_beat.models import ClockedSchedule, PeriodicTask, PeriodicTasks, SolarSchedule

from tasks_app.manifest.celery_beat import Call, Rows, read
from tasks_app.manifest.reading import tasks_of
from tasks_app.models import Task
from tests.acceptance import shop
from tests.tasks_app.factories import NOW
from tests.tasks_app.periodic.rows import a_periodic_task, crontab, every, later, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]


def found() -> Rows:
    return read(PeriodicTask.objects.order_by("pk"), Call("shop"), NOW)


def entry(**fields: object) -> dict[str, object]:
    row = a_periodic_task(**fields)
    (made,) = [each for each in found().tasks if each["name"] == row.name]
    tasks_of({"tasks": [made]})  # it is a task
    return made


def note(**fields: object) -> str:
    row = a_periodic_task(**fields)
    (said,) = [text for text in found().notes if text.startswith(row.name)]
    return said.removeprefix(f"{row.name}: ")


def test_a_row_with_all_that_can_be_kept():
    made = entry(
        name="Nightly report",
        task="shop.report",
        args='["it\'s", 1]',
        kwargs='{"deep": {"a": [1]}}',
        queue="slow",
        exchange="jobs",
        routing_key="jobs.slow",
        expire_seconds=60,
        crontab=crontab("30 2 * * mon-fri", "Europe/Berlin"),
        description="For the board.",
        start_time=later(60),
    )
    assert made == {
        "name": "Nightly report",
        "executor": "shell",
        "command": """celery -A shop call shop.report --args '["it'"'"'s", 1]' --kwargs '{"deep": {"a": [1]}}' """
        "--queue slow --exchange jobs --routing-key jobs.slow --expires 60",
        "description": "For the board.",
        "schedule": "30 2 * * 1-5",
        "timezone": "Europe/Berlin",
        "starts_at": later(60),
    }


def test_the_command_is_one_that_celery_understands(monkeypatch, capsys):
    made = entry(task="shop.tick", args='["a\\nb $HOME \'x\' \\"y\\""]', kwargs='{"ключ": "✓"}', queue="q u")
    words = shlex.split(str(made["command"]))
    calls: list[tuple[object, ...]] = []

    def send_task(name: str, args: object, kwargs: object, **options: object) -> object:
        calls.append((name, args, kwargs, options["queue"]))
        return type("Sent", (), {"id": "x"})

    monkeypatch.setattr(shop.app, "send_task", send_task)
    # Celery's command sets it for the whole process, and all other apps in it would follow: it is gone after this test.
    monkeypatch.setenv("CELERY_BROKER_URL", "memory://")
    celery_command(["-A", "tests.acceptance.shop", *words[3:]], standalone_mode=False)
    assert calls == [("shop.tick", ["a\nb $HOME 'x' \"y\""], {"ключ": "✓"}, "q u")]


@pytest.mark.parametrize(
    ("number", "period", "schedule"),
    [
        (10, "seconds", "@every 10s"),
        (90, "minutes", "@every 90m"),
        (36, "hours", "@every 36h"),
        (7, "days", "@every 7d"),
    ],
)
def test_intervals(number: int, period: str, schedule: str):
    assert entry(interval=every(number, period))["schedule"] == schedule


def test_an_interval_counts_from_its_start():
    made = entry(interval=every(1, "days"), start_time=NOW + timedelta(minutes=30), expires=NOW + timedelta(days=9))
    assert (made["schedule"], made["ends_at"]) == ("@every 1d from 2030-01-01T12:30:00+00:00", NOW + timedelta(days=9))


def test_a_clocked_row():
    clocked = ClockedSchedule.objects.create(clocked_time=datetime(2030, 6, 1, 8, tzinfo=ZoneInfo("Asia/Tokyo")))
    assert entry(clocked=clocked, one_off=True)["schedule"] == "@at 2030-05-31T23:00:00+00:00"


def test_the_time_zone_of_all(settings):
    settings.DJANGO_CELERY_BEAT_TZ_AWARE, settings.CELERY_TIMEZONE = False, "Asia/Tokyo"
    assert entry(crontab=crontab("30 2 * * *", "Europe/Berlin"))["timezone"] == "Asia/Tokyo"


def test_names_are_made_valid_and_unlike():
    for name in (" two  words\n", "two words", "\u200b"):
        a_periodic_task(name=name)
    last = PeriodicTask.objects.latest("pk").pk
    assert [made["name"] for made in found().tasks] == ["two words", "two words-2", f"periodic-task-{last}"]


def test_what_cannot_be_taken_over_is_said():
    sun = SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    past = ClockedSchedule.objects.create(clocked_time=NOW)
    assert note(solar=sun) == "Left out, as no schedule here follows the sun."
    assert note(clocked=past, one_off=True) == "Left out, as its time has passed."
    assert note(expires=NOW) == "Left out, as it has expired."
    assert note(one_off=True).startswith("Left out, as it runs only once, whenever it is enabled")
    for interval in (every(1, "microseconds"), every(400, "days")):
        assert note(interval=interval).startswith("Left out, as its interval is not one of")
    assert note(crontab=crontab("* * 8-14 * 1")).startswith("Left out, as it fires where day and weekday both match")
    assert note(crontab=crontab("61 * * * *")).startswith("Left out, as its crontab cannot be read (")
    assert note(args="[1").startswith("Left out, as its args are no JSON.")
    assert note(kwargs="[1]").startswith("Left out, as its kwargs are no JSON object.")
    assert found().tasks == []


def test_what_is_not_kept_is_said():
    assert note(priority=3).startswith("Its priority (3) is not kept")
    assert note(headers='{"a": 1}').startswith("Its headers are not kept")
    assert len(found().tasks) == 2


class TestTheCommand:
    def call(self, *options: str) -> tuple[str, str]:
        out, said = io.StringIO(), io.StringIO()
        call_command("import_celery_beat", "--app", "shop", *options, stdout=out, stderr=said, no_color=True)
        return out.getvalue(), said.getvalue()

    def test_a_plan_and_then_the_tasks(self):
        a_periodic_task(name="on")
        a_periodic_task(name="off", enabled=False)
        plan, said = self.call("--plan", "--disable")
        assert plan.splitlines() == [
            "+ default/on",
            "+ default/off",
            "2 to create, 0 to change, 0 to delete, 0 unchanged.",
        ]
        assert (Task.objects.count(), PeriodicTask.objects.filter(enabled=True).count(), said) == (0, 1, "")
        _, said = self.call()
        assert said == "1 of these rows are enabled and go on firing, unless you add --disable.\n"
        tasks = Task.objects.order_by("pk")
        assert [(t.name, t.status, t.managed_by) for t in tasks] == [
            ("on", "active", "celery-beat"),
            ("off", "paused", "celery-beat"),
        ]
        assert tasks[0].next_fire_at is not None

    def test_with_disable_only_the_tasks_go_on(self):
        row = a_periodic_task(name="on")
        left = a_periodic_task(name="left", one_off=True)
        sync(NOW)
        out, said = self.call("--disable", "--celery", "/srv/shop/bin/celery", "--cwd", "/srv/shop")
        assert "left: Left out" in said
        assert out.endswith("Done.\n")
        row.refresh_from_db()
        left.refresh_from_db()
        assert (row.enabled, left.enabled) == (False, True)
        task = Task.objects.get()
        assert (task.command, task.config) == ("/srv/shop/bin/celery -A shop call shop.tick", {"cwd": "/srv/shop"})
        assert task.status == "active"
        again, _ = self.call("--disable", "--celery", "/srv/shop/bin/celery", "--cwd", "/srv/shop")
        assert "1 unchanged" in again
        task.refresh_from_db()
        assert task.status == "active", "what its row has become since is nothing to it"

    def test_what_is_wrong_changes_nothing(self):
        a_periodic_task()
        marker = PeriodicTasks.last_change()
        with pytest.raises(CommandError, match="no namespace"):
            self.call("--namespace", "nowhere", "--disable")
        with pytest.raises(CommandError, match="--app"):
            call_command("import_celery_beat")
        assert (Task.objects.count(), PeriodicTask.objects.filter(enabled=True).count()) == (0, 1)
        assert PeriodicTasks.last_change() == marker
