"""A Celery app with ordinary tasks; each appends a line to a file when it is done.

`JOBS_BROKER`, `JOBS_FILE` and `JOBS_OPTIONS` (transport options as JSON) come from the environment.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task

import workers_app.messaging.redis_streams

workers_app.messaging.redis_streams.register()

app = Celery("jobs", broker=os.environ.get("JOBS_BROKER", "memory://"))
app.conf.update(
    task_serializer="json",
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options=json.loads(os.environ.get("JOBS_OPTIONS", "{}")),
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


def note(text: Any) -> None:
    """One line, in one write, so that lines of several processes do not mix."""
    with Path(os.environ["JOBS_FILE"]).open("ab", buffering=0) as file:
        file.write(f"{text}\n".encode())


@app.task(name="write")
def write(text: Any) -> None:
    note(text)


@app.task(name="write_late", acks_late=True)
def write_late(text: Any) -> None:
    note(text)


@app.task(name="pause", acks_late=True)
def pause(text: Any, seconds: float) -> None:
    note(f"begin {text}")
    time.sleep(seconds)
    note(f"end {text}")


@app.task(name="pid")
def pid(_: int) -> None:
    note(os.getpid())
    time.sleep(0.05)


@app.task(name="again", bind=True, max_retries=3)
def again(self: Task, text: Any) -> None:
    note(f"{text} {self.request.retries}")
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)


@app.task(name="die_once", bind=True, acks_late=True)
def die_once(self: Task, text: Any) -> None:
    if self.request.delivery_info["redelivered"]:
        note(f"{text} again")
        return
    note(f"{text} first")
    os.kill((os.environ["JOBS_KILL"] == "parent" and os.getppid()) or os.getpid(), 9)
