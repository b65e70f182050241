"""Hands in tasks: reads a number per line, publishes so many, prints what that took.

A process of its own, as a web service would be; it is set up before the clock runs.
"""

import json
import os
import sys
import time

import django

from benchmarks import cpu
from benchmarks.baseline.app import app, shell


def publish(number: int) -> None:
    """One connection and one producer for all, and as few round trips as kombu can do with."""
    with app.producer_pool.acquire(block=True) as producer, producer.batch():
        for _ in range(number):
            shell.apply_async(("true",), producer=producer)


def main() -> None:
    django.setup()
    publish(0)  # connects
    for line in sys.stdin:
        before, begun = cpu.of(os.getpid()), time.monotonic()
        publish(int(line))
        used = (cpu.of(os.getpid()) - before).total
        print(json.dumps({"seconds": time.monotonic() - begun, "cpu": used}), flush=True)


if __name__ == "__main__":
    main()
