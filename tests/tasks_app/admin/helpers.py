"""What the tests of admin pages share."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client

from tasks_app import actions, transitions
from tasks_app.clock import database_now
from tasks_app.models import Task, TaskRun, run_of
from workers_app.models import WorkerInfo

CONFIRMED = {"_form_submitted": "True"}
"""What the dialog of a detail action posts."""
TASKS = "/admin/tasks_app/task/"
RUNS = "/admin/tasks_app/taskrun/"


def person(*permissions: str) -> Client:
    """A client of a user who may enter the admin and has these permissions ("tasks_app.view_task")."""
    user = User.objects.create_user(f"user{User.objects.count()}", password="secret", is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def task(name: str = "backup", **values: Any) -> Task:
    made = Task(name=name, executor="shell", **{"command": "true", **values})
    made.full_clean()
    actions.save(made, database_now())
    return made


def pending(of: Task, **values: Any) -> TaskRun:
    run = run_of(of, now=database_now(), **values)
    transitions.create([run])
    return run


def worker(boot: str = "00000000-0000-0000-0000-000000000001", **values: Any) -> WorkerInfo:
    now = database_now()
    fields = {"name": "w1", "max_tasks": 4, "last_heartbeat": now, "lease_until": now, "executors": ["shell"]}
    return WorkerInfo.objects.create(boot_id=boot, **(fields | values))


def running(of: Task) -> TaskRun:
    run = pending(of)
    now = database_now()
    host = WorkerInfo.objects.first() or worker()
    transitions.assign([(run, host.pk)], now)
    transitions.start([(run.pk, 1, now)])
    run.refresh_from_db()
    return run


def failed(of: Task) -> TaskRun:
    run = running(of)
    transitions.end([transitions.Ending(run, "failed", "error", exit_code=3, error="It broke.")], database_now())
    run.refresh_from_db()
    return run


def said(response: HttpResponse) -> str:
    """What this very request says, without messages of earlier ones that no page has shown yet."""
    storage: Any = get_messages(response.wsgi_request)  # type: ignore[attr-defined]
    return " | ".join(str(message) for message in storage._queued_messages)


def bulk(client: Client, address: str, action: str, *things: Any) -> str:
    """Choose a bulk action for these rows; return what the list says then."""
    data = {"action": action, "_selected_action": [str(thing.pk) for thing in things]}
    return said(client.post(address, data, follow=False))
