"""The admin pages of runs."""

import pytest
from django.test import Client

from tasks_app import transitions
from tasks_app.admin import run_log
from tasks_app.clock import database_now
from tasks_app.models import RunLog, TaskRun
from tests.tasks_app.admin.helpers import CONFIRMED, RUNS, bulk, failed, pending, person, running, said, task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_url")]


@pytest.fixture
def client(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def write(run: TaskRun, *texts: str, attempt: int = 1) -> None:
    for piece, text in enumerate(texts):
        RunLog.objects.create(run=run, position=RunLog.position_of(attempt, piece), text=text)


def page_of(client: Client, run: TaskRun) -> str:
    answer = client.get(f"{RUNS}{run.pk}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_counts_nothing_and_makes_few_queries(client, django_assert_max_num_queries):
    stored = task()
    for _ in range(12):
        failed(stored)
    with django_assert_max_num_queries(8) as queries:
        page = client.get(RUNS).content.decode()
    assert page.count("…") >= 12
    assert not [query for query in queries if "COUNT(" in query["sql"]]


def test_an_empty_list_says_when_runs_appear(client):
    assert "A run appears here when" in client.get(RUNS).content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("?status=failed", True),
        ("?status=running", False),
        ("?origin=manual", True),
        ("?task__executor=shell", True),
        ("?task__executor=http", False),
        ("?hours=1", True),
        ("?hours=nonsense", True),
        ("?q=back", True),
        ("?q=nobody", False),
        ("?p=99", False),
        ("?o=-1", True),
    ],
)
def test_filters_and_search(client, query, found):
    run = failed(task("backup"))
    page = client.get(RUNS + query, follow=True)
    assert page.status_code == 200
    assert (f"{RUNS}{run.pk}/change/" in page.content.decode()) is found


def test_search_by_id_or_its_beginning(client):
    run = pending(task())
    for term in (str(run.pk), run.pk.hex, str(run.pk)[:8], f" {str(run.pk).upper()[:13]} "):
        assert f"{RUNS}{run.pk}/change/" in client.get(RUNS, {"q": term}).content.decode()


def test_a_task_may_be_called_like_an_id(client):
    run = pending(task("deadbeef"))
    assert f"{RUNS}{run.pk}/change/" in client.get(f"{RUNS}?q=deadbeef").content.decode()


def test_filters_that_links_set_are_shown(client):
    first, second = pending(task("first")), running(task("second"))
    page = client.get(f"{RUNS}?task={first.task_id}").content.decode()
    assert f"{RUNS}{first.pk}/change/" in page
    assert f"{RUNS}{second.pk}/change/" not in page
    assert "By task" in page
    page = client.get(f"{RUNS}?worker={second.worker_id}").content.decode()
    assert f"{RUNS}{second.pk}/change/" in page
    assert f"{RUNS}{first.pk}/change/" not in page
    assert client.get(f"{RUNS}?task=x").status_code == 200


def test_runs_are_read_only(client):
    run = pending(task())
    assert client.get(f"{RUNS}add/").status_code == 403
    assert client.post(f"{RUNS}{run.pk}/change/", {"status": "failed"}).status_code == 403
    assert client.post(f"{RUNS}{run.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_page_shows_all_facts(client, django_assert_max_num_queries):
    run = failed(task())
    with django_assert_max_num_queries(15):
        page = page_of(client, run)
    assert "It broke." in page
    assert "Attempts that did not end it well" in page
    assert "The run wrote no output." in page
    assert "data-stream" not in page


def test_a_run_without_bad_attempts_shows_no_table_of_them(client):
    assert "Attempts that did not end it well" not in page_of(client, running(task()))


def test_the_log_is_escaped(client):
    run = failed(task())
    write(run, "<script>alert(1)</script> ", "& <b>bold</b>\n")
    page = page_of(client, run)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in page
    assert "<script>alert" not in page


def test_error_and_result_are_escaped(client):
    run = running(task())
    ending = transitions.Ending(run, "failed", "error", result={"x": "<img>"}, error="<script>bad</script>")
    transitions.end([ending], database_now())
    page = page_of(client, run)
    assert "<img>" not in page
    assert "<script>bad" not in page


def test_a_live_run_is_followed_behind_what_the_page_shows(client):
    run = running(task())
    write(run, "one\n", "two\n")
    page = page_of(client, run)
    position = RunLog.position_of(1, 1)
    assert f'data-stream="/api/v1/runs/{run.pk}/logs/stream/?after={position}"' in page
    assert "tasks_app/run_log.js" in page


def test_a_long_log_is_cut_at_its_beginning(client, monkeypatch):
    monkeypatch.setattr(run_log, "MOST", 100)
    run = failed(task())
    write(run, *(f"line {number:04}\n" for number in range(50)))
    page = page_of(client, run)
    assert "Only the end of the output" in page
    assert "line 0049" in page
    assert "line 0030" not in page


def test_a_line_marks_where_an_attempt_begins():
    run = failed(task())
    write(run, "first\n")
    write(run, "second\n", attempt=2)
    assert run_log.log_of(run).text == "first\n\n── attempt 2 ──\nsecond\n"


def test_the_log_needs_its_own_permission():
    run = failed(task())
    write(run, "confidential\n")
    assert "confidential" not in page_of(person("tasks_app.view_taskrun"), run)
    assert "confidential" in page_of(person("tasks_app.view_taskrun", "tasks_app.view_runlog"), run)
    assert person("tasks_app.view_runlog").get(f"{RUNS}{run.pk}/change/").status_code == 403


def test_cancel(client):
    waiting, active = pending(task("a")), running(task("b"))
    assert "/cancel/" in page_of(client, waiting)
    assert "/retry/" not in page_of(client, waiting)
    assert said(client.post(f"{RUNS}{waiting.pk}/cancel/", CONFIRMED)).startswith("1 run cancelled")
    assert "left alone" in said(client.post(f"{RUNS}{waiting.pk}/cancel/", CONFIRMED))
    client.post(f"{RUNS}{active.pk}/cancel/", CONFIRMED)
    waiting.refresh_from_db()
    active.refresh_from_db()
    assert waiting.status == "cancelled"
    assert active.cancel_requested_at is not None


def test_retry_makes_a_run_and_goes_there(client, admin):
    run = failed(task())
    assert "/retry/" in page_of(client, run)
    answer = client.post(f"{RUNS}{run.pk}/retry/", CONFIRMED)
    again = run.retries.get()
    assert answer.headers["Location"] == f"{RUNS}{again.pk}/change/"
    assert again.created_by == admin
    assert "Retry of" in page_of(client, again)
    assert "Retried by" in page_of(client, run)


def test_what_is_not_possible_is_said(client):
    answer = client.post(f"{RUNS}{pending(task()).pk}/retry/", CONFIRMED)
    assert "Cancel it first" in said(answer)


def test_bulk_actions_say_how_many(client):
    stored = task()
    ended, waiting = [failed(stored), failed(stored)], pending(stored)
    answer = bulk(client, RUNS, "retry_selected", *ended, waiting)
    assert answer.startswith("Made 2 runs. | backup: The run is pending.")
    assert "1 run cancelled" in bulk(client, RUNS, "cancel_selected", waiting, *ended)


def test_a_get_changes_nothing(client):
    run = pending(task())
    assert client.get(f"{RUNS}{run.pk}/cancel/").status_code == 200
    run.refresh_from_db()
    assert run.status == "pending"


def test_actions_on_a_run_that_is_gone_say_so(client):
    for name in ("cancel", "retry"):
        assert "doesn’t exist" in said(client.post(f"{RUNS}nothing/{name}/", CONFIRMED))
    assert client.get(f"{RUNS}nothing/change/").status_code == 302


def test_who_may_only_look_sees_no_actions_and_cannot_run_them():
    waiting, ended = pending(task("a")), failed(task("b"))
    reader = person("tasks_app.view_taskrun")
    assert "/cancel/" not in page_of(reader, waiting)
    assert "/retry/" not in page_of(reader, ended)
    assert "cancel_selected" not in reader.get(RUNS).content.decode()
    assert reader.post(f"{RUNS}{waiting.pk}/cancel/", CONFIRMED).status_code == 403
    assert reader.post(f"{RUNS}{ended.pk}/retry/", CONFIRMED).status_code == 403
    bulk(reader, RUNS, "cancel_selected", waiting)
    waiting.refresh_from_db()
    assert waiting.status == "pending"


def test_the_page_says_why_a_run_waits(client, django_assert_max_num_queries):
    run = pending(task(mutex="db"))
    with django_assert_max_num_queries(35):
        page = page_of(client, run)
    assert "It waits at the gate “worker labels”. No worker is online." in page
    assert page.count("<td>mutex</td>") == 1
