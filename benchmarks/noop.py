"""A Celery app whose task does nothing, to measure what surrounds a task.

`BENCHMARK_BROKER` is its broker and `BENCHMARK_PREFETCH` the worker's prefetch multiplier.
"""

import os

from celery import Celery

from workers_app.messaging import redis_streams

QUEUE = "benchmark.noop"

redis_streams.register()
app = Celery("noop", broker=os.environ.get("BENCHMARK_BROKER", "memory://"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_serializer="json",
    worker_prefetch_multiplier=int(os.environ.get("BENCHMARK_PREFETCH", "4")),
)


@app.task(name="noop")
def noop() -> None:
    """Nothing."""
