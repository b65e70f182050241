"""Celery's execution pool on asyncio: attempts run on a loop in a thread of its own.

Celery's own loop (broker, heartbeats, reports) keeps the main thread. So attempts go on, and their
time limits hold, while the main thread waits for a broker that is away; and all use of the broker
is in one thread. The way back from asyncio to the main thread is `call_in_hub`.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from celery.concurrency.base import BasePool


class Job:
    """A coroutine on the pool's loop. `done(task)` is called in the main thread when it has really ended."""

    def __init__(self, pool: "AsyncioPool", coroutine: Coroutine[Any, Any, Any], done: Callable[[Any], None]) -> None:
        self._pool = pool
        self._done = done
        self._task: asyncio.Task[Any] | None = None
        self._told = False
        pool.loop.call_soon_threadsafe(self._begin, coroutine)

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._task = self._pool.loop.create_task(coroutine)
        self._pool.jobs.add(self)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._pool.jobs.discard(self)
        self._pool.call_in_hub(partial(self._done, task))

    def cancel(self, why: str) -> None:
        """Raise `CancelledError(why)` in the coroutine, once; from any thread."""
        self._pool.loop.call_soon_threadsafe(self.cancel_here, why)

    def cancel_here(self, why: str) -> None:
        """The same, from the loop's own thread."""
        if self._task and not self._told:
            self._told = True
            self._task.cancel(why)


class AsyncioPool(BasePool):
    """Runs coroutine functions; `limit` is the worker's number of slots."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loop = asyncio.new_event_loop()
        self.jobs: set[Job] = set()
        self._thread = threading.Thread(target=self._run, name="attempts", daemon=True)
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def on_start(self) -> None:
        self._thread.start()

    def register_with_event_loop(self, hub: Any) -> None:
        """Celery calls this for each connection to the broker."""
        hub.add_reader(self._wake, self.deliver)

    def on_apply(self, target: Any, args: Any, kwargs: Any, callback: Any, **_: Any) -> Job:
        """Celery's way to submit a coroutine function; `callback(task)` follows in the main thread."""
        return Job(self, target(*args, **kwargs), callback)

    def call_in_hub(self, call: Callable[[], None]) -> None:
        """Have `call` made in the main thread soon, from any thread."""
        self._calls.append(call)
        os.eventfd_write(self._wake, 1)

    def deliver(self, *_: Any) -> None:
        """Make the calls that wait. Main thread only."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return
        try:
            while self._calls:
                self._calls.popleft()()
        finally:
            if self._calls:  # One of them found the connection broken; the others are for the next one.
                os.eventfd_write(self._wake, 1)

    def on_stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)

    on_terminate = on_stop
