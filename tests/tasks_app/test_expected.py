"""Expected against actual: every nominal time has a run, a record, or is still to come."""

from datetime import datetime, timedelta

import pytest

from tasks_app import actions
from tasks_app.dispatch.fire import fire
from tasks_app.expected import Fate, fates
from tasks_app.models import Task, TaskRun
from tests.tasks_app.factories import NOW

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def saved(**fields: object) -> Task:
    task = Task(**{"name": "t", "executor": "shell", "command": "true", "schedule": "0 * * * *"} | fields)
    actions.save(task, NOW)
    return Task.objects.get(pk=task.pk)


def told(task: Task, until: datetime, now: datetime | None = None, since: datetime = NOW, most: int = 100) -> list[str]:
    task = Task.objects.get(pk=task.pk)
    return [_told(fate) for fate in fates(task, since, until, now or until, most)]


def _told(fate: Fate) -> str:
    hours = (fate.at - NOW) / HOUR
    return " ".join([f"{hours:g}", fate.outcome, fate.reason, "" if fate.expected else "unexpected"]).strip()


def test_what_ran_what_was_missed_and_what_is_to_come():
    task = saved()
    fire(NOW + HOUR)
    fire(NOW + 4 * HOUR + 10 * MINUTE)
    assert told(task, NOW + 7 * HOUR, NOW + 5 * HOUR + MINUTE) == [
        "1 pending",
        "2 skipped missed",
        "3 skipped missed",
        "4 pending",
        "5 due",
        "6 due",
    ]


def test_times_that_share_a_record():
    task = saved(schedule="* * * * *")
    fire(NOW + 10 * HOUR)
    found = fates(Task.objects.get(pk=task.pk), NOW, NOW + 10 * HOUR, NOW + 10 * HOUR, 1000)
    assert len(found) == 599
    assert {(fate.outcome, fate.reason) for fate in found[:598]} == {("skipped", "missed")}
    assert sum(fate.run is not None for fate in found) == 101


def test_a_pause():
    task = saved()
    fire(NOW + HOUR)
    task.refresh_from_db()
    actions.pause(task, NOW + HOUR + MINUTE)
    paused = ["1 pending", "2 paused", "3 paused", "4 due"]
    assert told(task, NOW + 5 * HOUR, NOW + 3 * HOUR) == paused
    task.after_resume = "last"
    actions.resume(task, NOW + 3 * HOUR)
    assert told(task, NOW + 5 * HOUR, NOW + 3 * HOUR) == ["1 pending", "2 skipped paused", "3 pending", "4 due"]


def test_each_plan_counts_in_its_own_time():
    task = saved(name="a")
    fire(NOW + HOUR)
    for schedule, hours in (("30 * * * *", 2), ("", 3), ("@every 2h", 5)):
        task.refresh_from_db()
        task.schedule = schedule
        actions.save(task, NOW + hours * HOUR)
    fire(NOW + 6 * HOUR)
    assert told(task, NOW + 9 * HOUR, NOW + 6 * HOUR) == [
        "1 pending",
        "2 pending",  # due at the moment of the change
        "2.5 pending",
        "6 pending",
        "8 due",
    ]
    actions.delete(task, NOW + 7 * HOUR)
    assert told(task, NOW + 9 * HOUR)[-1] == "6 cancelled cancelled"


def test_what_is_lost_is_said_to_be_unknown_and_what_nobody_expected_is_shown():
    task = saved()
    (run,) = fire(NOW + HOUR)
    TaskRun.objects.filter(pk=run.pk).update(scheduled_for=NOW + HOUR + MINUTE * 6)
    assert told(task, NOW + 2 * HOUR, NOW + 90 * MINUTE) == ["1 unknown", "1.1 pending  unexpected"]


def test_fixed_delays_have_only_what_was():
    task = saved(schedule="@after 1h")
    Task.objects.update(next_fire_at=NOW + MINUTE)
    fire(NOW + MINUTE)
    assert [line.split()[1:] for line in told(task, NOW + 9 * HOUR)] == [["pending", "unexpected"]]


def test_page_by_page():
    task = saved()
    fire(NOW + 10 * HOUR)
    whole = told(task, NOW + 20 * HOUR)
    assert told(task, NOW + 20 * HOUR, most=7) == whole[:7]
    assert told(task, NOW + 20 * HOUR, since=NOW + 8 * HOUR, most=7) == whole[7:14]
    assert told(task, NOW + 20 * HOUR, since=NOW + 8 * HOUR + MINUTE, most=1) == whole[8:9]


def test_over_the_api(api):
    task = saved()
    fire(NOW + 3 * HOUR)
    address = f"/api/v1/tasks/{task.pk}/fires/"
    answer = api.get(address, {"since": NOW.isoformat(), "until": (NOW + 9 * HOUR).isoformat(), "count": 2}).json()
    assert [(fire["utc"], fire["outcome"], fire["reason"]) for fire in answer["fires"]] == [
        ("2030-01-01T13:00:00Z", "skipped", "missed"),
        ("2030-01-01T14:00:00Z", "skipped", "missed"),
    ]
    assert all(fire["run"] and fire["expected"] for fire in answer["fires"])
    assert answer["next"] == "2030-01-01T15:00:00Z"
    rest = api.get(address, {"since": answer["next"], "until": (NOW + 9 * HOUR).isoformat()}).json()
    assert [fire["outcome"] for fire in rest["fires"]] == ["pending"] + ["due"] * 5
    assert (rest["fires"][-1]["run"], rest["next"]) == (None, None)
    assert api.get(address).json() == {"fires": [], "next": None}


@pytest.mark.parametrize(
    "values", [{"since": "soon"}, {"until": "x"}, {"count": 0}, {"count": 1001}, {"count": "x"}], ids=str
)
def test_a_bad_question(api, values):
    answer = api.get(f"/api/v1/tasks/{saved().pk}/fires/", values)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == list(values)


def test_the_ends_of_time(api):
    task = saved()
    for since, until in (
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:01Z"),
        ("9999-12-30T00:00:00Z", "9999-12-31T23:59:59Z"),
    ):
        answer = api.get(f"/api/v1/tasks/{task.pk}/fires/", {"since": since, "until": until})
        assert answer.status_code == 200, answer.content
    assert api.get(f"/api/v1/tasks/{task.pk}/fires/", {"until": "0001-01-01T00:00:00Z"}).status_code == 200
