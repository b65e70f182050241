"""Things done at the same moment, each over a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection, connections


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make all calls at the same moment, each over a connection of its own."""
    barrier = Barrier(len(calls))

    def work(call: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(work, call) for call in calls]]
