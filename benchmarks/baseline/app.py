"""The baseline's Celery app: `celery -A benchmarks.baseline.app worker`."""

import os
import subprocess

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.baseline.settings")

app = Celery("baseline")
app.config_from_object("django.conf:settings", namespace="CELERY")
if os.environ.get("TUNED") == "1":
    # Otherwise Celery hangs up on the database after every task, whatever CONN_MAX_AGE says.
    app.conf.CELERY_DB_REUSE_MAX = 1_000_000_000


@app.task  # type: ignore[untyped-decorator, unused-ignore]
def shell(command: str) -> dict[str, int | str]:
    """What our shell executor does at the least: run it, keep its exit code and its output."""
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)  # noqa: S603
    return {"exit_code": done.returncode, "output": done.stdout}
