"""Who may call what."""

import pytest
from rest_framework.test import APIClient

from tasks_app.clock import database_now
from tasks_app.flow.plan import Plan, Step
from tasks_app.models import Backfill, Calendar, Circuit, FlowPlan, FlowRun, Pause, Pool, Task, TaskRun
from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, WORKERS, refused, rows
from tests.tasks_app.api.conftest import make_run as _make_run
from tests.tasks_app.api.conftest import make_task as _make_task
from tests.tasks_app.api.conftest import make_worker as _make_worker
from tests.tasks_app.api.conftest import task as _task
from tests.tasks_app.api.conftest import worker as _worker
from tests.tasks_app.api.test_calendars import ICS

pytestmark = pytest.mark.django_db
make_run, make_task, make_worker, task, worker = _make_run, _make_task, _make_worker, _task, _worker

CIRCUITS = "/api/v1/circuits/"
BACKFILLS = "/api/v1/backfills/"
CALENDARS = "/api/v1/calendars/"
FLOWS = "/api/v1/flows/"
POOLS = "/api/v1/pools/"
PAUSES = "/api/v1/pauses/"
SPAN = {"since": "2024-01-01T00:00:00Z", "until": "2024-01-04T00:00:00Z"}
READING = [
    ("get", TASKS, "view_task"),
    ("get", "{task}", "view_task"),
    ("get", "{task}next-fires/", "view_task"),
    ("get", RUNS, "view_taskrun"),
    ("get", "{run}", "view_taskrun"),
    ("get", "{run}explain/", "view_taskrun"),
    ("get", "{task}explain/?at=2024-01-01T00:00:00Z", "view_task"),
    ("get", "{run}logs/", "view_runlog"),
    ("get", "{run}logs/stream/", "view_runlog"),
    ("get", WORKERS, "view_workerinfo"),
    ("get", "{worker}", "view_workerinfo"),
    ("get", BACKFILLS, "view_backfill"),
    ("get", "{backfill}", "view_backfill"),
    ("get", CALENDARS, "view_calendar"),
    ("get", "{calendar}", "view_calendar"),
    ("get", "{calendar}days/", "view_calendar"),
    ("get", FLOWS, "view_flowrun"),
    ("get", "{flow}", "view_flowrun"),
    ("get", POOLS, "view_pool"),
    ("get", "{pool}", "view_pool"),
    ("get", PAUSES, "view_pause"),
    ("get", "{pause}", "view_pause"),
    ("get", CIRCUITS, "view_circuit"),
    ("get", "{circuit}", "view_circuit"),
]
WRITING = [
    ("post", TASKS, "add_task"),
    ("put", "{task}", "change_task"),
    ("patch", "{task}", "change_task"),
    ("delete", "{task}", "delete_task"),
    ("post", "{task}pause/", "change_task"),
    ("post", "{task}resume/", "change_task"),
    ("post", "{task}run/", "add_taskrun"),
    ("post", f"{RUNS}bulk/", "add_taskrun"),
    ("post", "{run}cancel/", "change_taskrun"),
    ("post", "{run}retry/", "add_taskrun"),
    ("post", "{worker}drain/", "change_workerinfo"),
    ("post", "{worker}undrain/", "change_workerinfo"),
    ("post", "{task}backfill/", "add_backfill"),
    ("post", "{backfill}cancel/", "change_backfill"),
    ("post", "{flow}cancel/", "change_flowrun"),
    ("post", "{flow}retry/", "add_flowrun"),
    ("post", POOLS, "add_pool"),
    ("patch", "{pool}", "change_pool"),
    ("delete", "{pool}", "delete_pool"),
    ("post", CALENDARS, "add_calendar"),
    ("put", "{calendar}", "change_calendar"),
    ("patch", "{calendar}", "change_calendar"),
    ("delete", "{calendar}", "delete_calendar"),
    ("post", "{calendar}import-ics/", "change_calendar"),
    ("post", PAUSES, "add_pause"),
    ("delete", "{pause}", "delete_pause"),
    ("post", "{circuit}reset/", "change_circuit"),
]
SIGNED_IN = [("post", "/api/v1/schedules/preview/"), ("get", "/api/v1/schema/"), ("get", "/api/v1/docs/")]
VIEW = (
    "view_task",
    "view_taskrun",
    "view_runlog",
    "view_workerinfo",
    "view_backfill",
    "view_calendar",
    "view_flowrun",
    "view_pool",
    "view_pause",
    "view_circuit",
)


@pytest.fixture
def call(task, worker, make_run):
    """Calls one of the addresses above, with a body that would be good for most."""
    run = make_run("pending")
    calendar = Calendar.objects.create(name="works", closed="sat, sun")
    pause = Pause.objects.create(label="a=b", paused_at=database_now())
    Task.objects.filter(pk=task.pk).update(schedule="@daily")
    backfill = Backfill.objects.create(task=task, times=[1], total=1, created_at=database_now(), **SPAN)
    plan = FlowPlan.objects.create(digest="d", steps=Plan((Step(task.pk, task.name),)).encoded().decode())
    flow = FlowRun.objects.create(task=task, plan=plan, scheduled_for=database_now())
    pool = Pool.objects.create(name="licences", slots=1)
    circuit = Circuit.objects.create(target="task:1", failures=1, updated_at=database_now())

    def send(client, method, address):
        names = {"task": f"{TASKS}{task.pk}/", "run": f"{RUNS}{run.pk}/", "worker": f"{WORKERS}{worker.pk}/"}
        names["backfill"] = f"{BACKFILLS}{backfill.pk}/"
        names["pause"] = f"{PAUSES}{pause.pk}/"
        names["calendar"] = f"{CALENDARS}{calendar.pk}/"
        names |= {"flow": f"{FLOWS}{flow.pk}/", "pool": f"{POOLS}{pool.pk}/"}
        names["circuit"] = f"{CIRCUITS}{circuit.pk}/"
        body = [{"task": task.pk}] if address.endswith("bulk/") else {**TASK, "name": "new"}
        if "calendar" in address:
            body = {"ics": ICS} if address.endswith("import-ics/") else {"name": "holidays"}
        if "flow" in address:
            body = {}
        if "pool" in address:
            body = {"name": "database", "slots": 1}
        if address == PAUSES:
            body = {"label": "c=d"}
        if address.endswith("pause/"):
            body = {}
        if address.endswith("backfill/"):
            body = SPAN
        if address.endswith("preview/"):
            body = {"schedule": "@daily"}
        if address.endswith("run/"):
            body = {}
        return getattr(client, method)(address.format(**names), None if method == "get" else body)

    return send


def everything():
    tasks = Task.objects.values_list("pk", "status", "name", "deleted_at")
    circuits = list(Circuit.objects.values_list("pk", "failures"))
    calendars = list(Calendar.objects.values_list("pk", "name", "closed"))
    pauses = list(Pause.objects.values_list("pk", "label"))
    backfills = list(Backfill.objects.values_list("pk", "status"))
    runs = list(TaskRun.objects.values_list("pk", "status", "cancel_requested_at"))
    flows, pools = list(FlowRun.objects.values_list("pk", "reason")), list(Pool.objects.values_list("pk", "name"))
    return rows(), pauses, backfills, calendars, list(tasks), runs, circuits, flows, pools


@pytest.mark.parametrize(("method", "address"), [row[:2] for row in READING + WRITING] + SIGNED_IN)
def test_nobody_gets_in_without_signing_in(call, broker_url, method, address):
    before = everything()
    answer = call(APIClient(raise_request_exception=False), method, address)
    error = refused(answer, 401, code="not_authenticated")
    assert "Api-Key" in error["message"]
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert everything() == before


@pytest.mark.parametrize(("method", "address", "permission"), READING + WRITING)
def test_somebody_without_the_right_is_told_which_one(call, signed, make_key, make_user, method, address, permission):
    client = signed(f"Api-Key {make_key(make_user('ann'))}")
    before = everything()
    error = refused(call(client, method, address), 403, code="permission_denied")
    assert permission in error["message"]
    assert everything() == before


@pytest.mark.parametrize(("method", "address", "permission"), WRITING)
def test_who_may_only_look_changes_nothing(call, signed, make_key, make_user, method, address, permission):
    client = signed(f"Api-Key {make_key(make_user('ann', *VIEW))}")
    before = everything()
    refused(call(client, method, address), 403)
    assert everything() == before


@pytest.mark.parametrize(("method", "address", "permission"), READING)
def test_who_may_look_sees(call, signed, make_key, make_user, method, address, permission):
    client = signed(f"Api-Key {make_key(make_user('ann', permission))}")
    assert call(client, method, address).status_code == 200


@pytest.mark.parametrize(("method", "address", "permission"), WRITING)
def test_one_right_is_enough_for_what_it_is_for(
    call, signed, make_key, make_user, broker_url, method, address, permission
):
    client = signed(f"Api-Key {make_key(make_user('ann', permission))}")
    answer = call(client, method, address)
    assert answer.status_code in (200, 201, 202, 204, 409), answer.content


@pytest.mark.parametrize(("method", "address"), SIGNED_IN)
def test_for_some_things_signing_in_is_enough(call, signed, make_key, make_user, method, address):
    client = signed(f"Api-Key {make_key(make_user('ann'))}")
    assert call(client, method, address).status_code == 200


def test_a_session_may_read(admin):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(admin)
    assert client.get(TASKS).status_code == 200


@pytest.mark.parametrize(("method", "address", "permission"), WRITING)
def test_a_session_may_write_only_with_a_csrf_token(call, admin, broker_url, method, address, permission):
    client = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(admin)
    before = everything()
    assert "CSRF" in refused(call(client, method, address), 403, code="permission_denied")["message"]
    assert everything() == before


def test_a_session_with_its_csrf_token(admin, broker_url):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(admin)
    client.get("/admin/login/")
    client.get("/admin/")
    token = client.cookies["csrftoken"].value
    assert client.post(TASKS, TASK, headers={"X-CSRFToken": token}).status_code == 201


def test_a_key_needs_no_csrf_token(signed, make_key, admin, broker_url):
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {make_key(admin)}")
    assert client.post(TASKS, TASK).status_code == 201


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/api/v1/auth/token/", "/api/v1/auth/token/refresh/"])
def test_what_everybody_may_call(db, broker_url, address):
    assert APIClient().get(address).status_code in (200, 405)
