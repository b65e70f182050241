"""What a new installation begins with: an administrator, an API key and three sample tasks."""

import secrets

from django.contrib.auth.models import User

from access_app.models import ApiKey
from tasks_app import actions
from tasks_app.clock import database_now
from tasks_app.models import Task

ADMIN = "admin"


def administrator() -> str:
    """Make the administrator, or give it a new password; return the password."""
    password = secrets.token_urlsafe(12)
    user, _ = User.objects.get_or_create(username=ADMIN, defaults={"is_staff": True, "is_superuser": True})
    user.set_password(password)
    user.save()
    return password


def api_key() -> str:
    """Make an API key of the administrator's and return it."""
    key = ApiKey(name="standalone", owner=User.objects.get(username=ADMIN))
    text = key.issue()
    key.save()
    return text


def sample_tasks(url: str) -> None:
    """Three tasks to look at, where there are none yet."""
    if Task.objects.exists():
        return
    samples = [
        Task(
            name="sample-clock",
            description="A shell command on a cron schedule.",
            executor="shell",
            command='echo "It is $(date -u +%H:%M:%S) UTC; I am run $SCHEDULER_RUN_ID."',
            schedule="* * * * *",
        ),
        Task(
            name="sample-health",
            description="An HTTP call at an interval.",
            executor="http",
            command=f"{url}/healthz",
            schedule="@every 5m",
        ),
        Task(
            name="sample-hello",
            description="Runs when you trigger it.",
            executor="shell",
            command='echo "Hello, ${SCHEDULER_PARAM_NAME:-world}!"',
        ),
    ]
    for task in samples:
        task.full_clean()
        actions.save(task, database_now())
