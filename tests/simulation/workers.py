"""Workers: the real consumer, told by the simulation when to act, and commands that end when it says so."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from celery.worker import control
from celery.worker import state as celery_state
from celery.worker.consumer import Consumer as CeleryConsumer

from executors.base import AT_ONCE
from tests.simulation.channel import Channel, Delivery, Line
from tests.simulation.clock import clock
from tests.simulation.ledger import Ledger
from workers_app.agent import settings
from workers_app.agent.consumer import Consumer
from workers_app.messaging.protocol import Assignment, Finished, Started, worker_queue

KILL_SECONDS = 0.5
"""From when a command is told to end until it has ended: with the look at the lease, within the lease's margin."""


class Job:
    """A command that has begun; `done` follows in the worker's main thread."""

    def __init__(self, worker: "SimulatedWorker", assignment: Assignment, done: Callable[[Any], None]) -> None:
        self.key = assignment.key
        self.once = assignment.task.startswith("once")
        self.outcome: str | None = None
        """Why it ended, empty on success; None while it runs."""
        self.overran = False
        """Its worker stood still until its lease was over."""
        self._worker = worker
        self._incarnation = worker.incarnation
        self._begun = clock.now
        self._done = done
        self._told = ""
        self._gone_at = math.inf
        self._start_reported = False

    def __repr__(self) -> str:
        return f"attempt {self.key.attempt} of {self.key.run} on {self._worker} ({self.outcome})"

    @property
    def seconds(self) -> float:
        return clock.now - self._begun

    @property
    def past_its_lease(self) -> bool:
        with self._worker.here():
            return self._incarnation.ended

    @property
    def lives(self) -> bool:
        """It runs; while its worker stands still, leases promise nothing beyond their end."""
        if self.outcome is not None or self.overran:
            return False
        return not (self._worker.frozen and self.past_its_lease)

    def cancel(self, why: str) -> None:
        """As of the pool's jobs: only the first word counts."""
        if not self._told:
            self._told, self._gone_at = why, clock.now + KILL_SECONDS

    cancel_here = cancel

    def tick(self) -> None:
        if clock.now >= self._gone_at:
            self.end(self._told)

    def end(self, outcome: str) -> None:
        """It has ended: by itself (empty or `error`), or for the reason it was told."""
        self.outcome = outcome
        pool = self._worker.pool
        pool.jobs.remove(self)
        pool.call_in_hub(self.report_start)
        pool.call_in_hub(partial(self._done, self))

    def die(self) -> None:
        """It is gone together with its worker."""
        self.outcome = "killed"

    def report_start(self) -> None:
        if not self._start_reported:
            self._start_reported = True
            self._worker.reporter.add(Started(self.key, ago=self.seconds))

    def result(self) -> Finished:
        """What the runner makes of it."""
        return Finished(self.key, self.outcome or "", exit_code=int(bool(self.outcome)), seconds=self.seconds)


class Pool:
    """The pool as far as the consumer knows it. There is only one thread."""

    def __init__(self, limit: int, begin: Callable[[Assignment, Callable[[Any], None]], Job]) -> None:
        self.limit = limit
        self.jobs: list[Job] = []
        self.loop = SimpleNamespace(call_soon_threadsafe=lambda call, *args: call(*args))
        self._begin = begin
        self._calls: deque[Callable[[], None]] = deque()

    def apply_async(self, target: Any, args: tuple[Assignment], callback: Callable[[Any], None]) -> Job:
        return self._begin(*args, callback)

    def call_in_hub(self, call: Callable[[], Any]) -> None:
        self._calls.append(call)

    def deliver(self) -> None:
        while self._calls:
            self._calls.popleft()()


class Timer:
    """What is done again and again on one connection."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, Callable[[], None]]] = []
        self._due: list[float] = []

    def call_repeatedly(self, seconds: float, call: Callable[[], None]) -> None:
        self._calls.append((seconds, call))
        self._due.append(clock.now + seconds)

    def clear(self) -> None:
        self._calls.clear()
        self._due.clear()

    def tick(self) -> None:
        for number, (seconds, call) in enumerate(self._calls):
            if clock.now >= self._due[number]:
                self._due[number] = clock.now + seconds
                call()


class SimulatedWorker(Consumer):
    """The real consumer without Celery around it."""

    connection_errors = channel_errors = ()

    def __init__(self, name: str, slots: int, channel: Channel, ledger: Ledger, ahead: float) -> None:
        self.name = self.hostname = name
        self.frozen = self.leaving = self.gone = False
        self._ahead, self._line, self._ledger = ahead, Line(channel), ledger
        self._fake_celery(slots)
        no_celery = patch.object(CeleryConsumer, "__init__")
        no_thread = patch.object(asyncio, "run_coroutine_threadsafe", lambda coroutine, loop: coroutine.close())
        with self.here(), no_celery, no_thread, patch.dict(control.Panel.data):
            super().__init__()
        self.runner = SimpleNamespace(carry_out=None, renew=lambda seconds: None)
        self.load = SimpleNamespace(cpu_percent=lambda: None, memory_percent=lambda: None)
        self.connect()

    def _fake_celery(self, slots: int) -> None:
        self.pool = Pool(slots, self._begin)
        self.hub = SimpleNamespace(
            call_soon=self.pool.call_in_hub, call_later=lambda _, call: self.pool.call_in_hub(call)
        )
        self.timer = Timer()
        self.connection = SimpleNamespace(channel=lambda: self._line)
        self.task_consumer = SimpleNamespace(add_queue=_nothing, consume=_nothing, channel=self._line.channel)
        self.event_dispatcher = None

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def here(self) -> Iterator[None]:
        """What runs within runs in this process."""
        before, settings.NAME = settings.NAME, self.name
        try:
            with clock.on_machine(self._ahead):
                yield
        finally:
            settings.NAME = before

    @property
    def box(self) -> str:
        return worker_queue(self.incarnation.boot)

    def _begin(self, assignment: Assignment, done: Callable[[Any], None]) -> Job:
        job = Job(self, assignment, done)
        self._ledger.started(job, len(self.pool.jobs), self.pool.limit)
        self.pool.jobs.append(job)
        return job

    def _request(self, *_: Any) -> Any:
        return SimpleNamespace(begin=_nothing, end=_nothing)

    def _own_queue(self) -> str:
        return self.box

    def cancel_task_queue(self, queue: str) -> None:
        """Celery stops to listen to it."""

    # What the simulation has it do

    def tick(self) -> None:
        """What goes on by itself: commands end, the lease is watched, heartbeats and reports go out."""
        for job in list(self.pool.jobs):
            job.tick()
        if not self.frozen and not self.gone:
            with self.here():
                self._act()

    def _act(self) -> None:
        if self.incarnation.ended:
            for job in list(self.pool.jobs):
                job.cancel_here(AT_ONCE)
        try:
            self.pool.deliver()
            self.timer.tick()
            if self.leaving and not self.attempts.held:
                self.beat("offline")
                self.gone = True
        except ConnectionResetError:
            self.connect()

    def connect(self) -> None:
        """As Celery does after each loss of the connection; one that none helps, ends."""
        if celery_state.should_terminate is not None:
            celery_state.should_terminate = None
            self.kill()
            return
        self.timer.clear()
        with self.here():
            self.create_task_handler()

    def hear(self, messages: Iterable[bytes]) -> None:
        """Messages come in."""
        with self.here():
            for each in messages:
                self._receive(Delivery(each))

    def cut_off(self, cut: bool) -> None:
        """What it sends from now on comes late, or no more."""
        self._line.cut = cut

    def freeze(self) -> None:
        """SIGSTOP: it does nothing, and time goes on."""
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: what it finds past its lease, it ends at its next look."""
        self.frozen = False
        for job in self.pool.jobs:
            job.overran = job.overran or job.past_its_lease

    def kill(self) -> None:
        """SIGKILL: its commands end with it, and nobody hears of them."""
        self.gone = True
        for job in self.pool.jobs:
            job.die()
        self.pool.jobs.clear()

    def shut_down(self) -> None:
        """SIGTERM, without grace for what runs: it is ended and handed back, and then the worker says goodbye."""
        self.attempts.closed = self.leaving = True
        with self.here():
            try:
                self.beat()
                self.attempts.stop(list(self.attempts.held), "shutdown")
            except ConnectionResetError:
                self.connect()


def _nothing(*_: Any) -> None:
    pass
