"""Which ends are tried again, runs that are the same, tasks that pause themselves."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tasks_app import actions, retry
from tasks_app.dispatch.record import record
from tasks_app.models import Pause, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run, given_out
from workers_app.messaging.protocol import AttemptKey, Finished, Reports

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]
CLOCK = [NOW]


@pytest.fixture(autouse=True)
def database_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks_app.dispatch.permits.database_now", lambda: CLOCK[0])


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def assign(now: datetime = NOW) -> list[UUID]:
    CLOCK[0] = now
    return [item.key.run for _, message in given_out(now).letters for item in message.items]


def end(run: UUID, reason: str = "", code: int | None = 0, now: datetime = NOW) -> None:
    attempt = TaskRun.objects.get(pk=run).attempt
    record([Reports(uuid4(), [Finished(AttemptKey(run, attempt), reason, code)])], now)


# Retry filters


@pytest.mark.parametrize(
    ("only", "never", "reason", "code", "wanted"),
    [
        ([], [], "error", 1, True),
        ([], [], "timeout", None, True),
        ([75], [], "error", 75, True),
        ([75], [], "error", 1, False),
        (["500-599", 429], [], "error", 503, True),
        (["500-599", 429], [], "error", 429, True),
        (["500-599", 429], [], "error", 404, False),
        (["timeout"], [], "timeout", -9, True),
        (["timeout"], [], "error", 1, False),
        (["signal"], [], "error", -11, True),
        (["signal"], [], "error", 11, False),
        (["SIGKILL"], [], "error", -9, True),
        (["SIGKILL"], [], "error", -15, False),
        ([], ["timeout"], "timeout", None, False),
        ([], [2], "error", 2, False),
        (["1-9"], [2], "error", 2, False),
        ([1], [], "error", None, False),
    ],
)
def test_which_ends_are_tried_again(only: list, never: list, reason: str, code: int | None, wanted: bool):
    assert retry.is_wanted(reason, code, only, never) is wanted
    task = a_task(max_attempts=5, retry_on=only, never_retry_on=never)
    run = an_active_run(a_worker(), task)
    end(run.pk, reason, code)
    assert TaskRun.objects.get(pk=run.pk).status == ("pending" if wanted else "failed")


@pytest.mark.parametrize("bad", ["", "x", "5-", "-5", "9-1", "SIGNOTHING", "500 - x"])
def test_what_is_no_condition(bad: str):
    with pytest.raises(ValueError, match=r"\w"):
        retry.bounds(bad)


# Unique runs


def test_for_a_time_others_with_the_same_key_are_skipped():
    a_worker(max_tasks=100, lease_until=after(1000))
    task = a_task(unique_key="sync-{host}", unique_seconds=60)
    first, same, other = (a_run(task, params={"host": host}) for host in "aab")
    assert set(assign()) == {first.pk, other.pk}
    skipped = TaskRun.objects.get(pk=same.pk)
    assert (skipped.status, skipped.reason) == ("skipped", "unique")
    end(first.pk)
    late = a_run(task, params={"host": "a"})
    assert assign(after(59)) == []
    assert TaskRun.objects.get(pk=late.pk).status == "skipped"
    again = a_run(task, params={"host": "a"})
    assert assign(after(61)) == [again.pk]


def test_a_retry_is_no_other_run():
    a_worker(lease_until=after(1000))
    run = a_run(a_task(unique_seconds=60, max_attempts=2, retry_delay_seconds=0))
    assert assign() == [run.pk]
    end(run.pk, "error", 1)
    assert assign(after(1)) == [run.pk]


def test_retries_count_for_a_rate():
    a_worker(lease_until=after(1000))
    run = a_run(a_task(rate_count=1, rate_seconds=60, max_attempts=2, retry_delay_seconds=0))
    assert assign() == [run.pk]
    end(run.pk, "error", 1)
    assert assign(after(1)) == []
    assert assign(after(61)) == [run.pk]


# Pausing itself


def fail(task: Task, times: int, reason: str = "error", now: datetime = NOW) -> None:
    for _ in range(times):
        run = an_active_run(a_worker(), task)
        end(run.pk, reason, 1 if reason else 0, now)


def test_after_so_many_failures_in_a_row_a_task_pauses_itself():
    task = a_task(schedule="* * * * *", next_fire_at=NOW, pause_after_failures=3)
    fail(task, 2), fail(task, 1, "")
    fail(task, 2)
    assert Task.objects.get().status == "active"
    fail(task, 1)
    assert Task.objects.get().status == "paused"
    pause = Pause.objects.get()
    assert (pause.reason, pause.paused_by) == ("It paused itself after 3 failures in a row.", None)
    actions.resume(Task.objects.get(), after(1))
    fail(task, 2, now=after(2))
    assert Task.objects.get().status == "active", "what was before is forgiven"
    fail(task, 1, now=after(2))
    assert Task.objects.get().status == "paused"


def test_without_a_number_it_goes_on():
    task = a_task()
    fail(task, 20)
    assert Task.objects.get().status == "active"
