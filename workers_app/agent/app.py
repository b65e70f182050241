"""The worker's Celery app."""

import socket
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

from workers_app import environment, metrics
from workers_app.agent import settings
from workers_app.agent.consumer import Consumer
from workers_app.agent.pool import AsyncioPool
from workers_app.messaging import broker

app = Celery("scheduler-worker")
broker.configure(
    app,
    worker_pool=AsyncioPool,
    worker_consumer=Consumer,
    worker_concurrency=settings.MAX_TASKS,
    worker_prefetch_multiplier=0,
    worker_enable_remote_control=True,
    # Attempts go on while the broker is away; the lease says for how long.
    worker_cancel_long_running_tasks_on_connection_loss=False,
)
environment.refuse_problems()


@celeryd_init.connect
def begin(instance: Any, **kwargs: Any) -> None:
    """Let Flower and `celery inspect` show the worker by its own name, and Prometheus what it counts."""
    instance.hostname = f"{settings.NAME}@{socket.gethostname()}"
    metrics.serve()
