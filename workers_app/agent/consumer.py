"""Where the worker meets Celery: messages in, heartbeats and reports out, and an orderly end."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from celery.exceptions import WorkerShutdown
from celery.worker import control, state
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.loops import asynloop
from kombu import Connection, Exchange, Queue
from kombu.message import Message as Delivery

import executors
from executors.base import AT_ONCE
from workers_app.agent import settings
from workers_app.agent.attempts import Attempts
from workers_app.agent.farewell import Farewell
from workers_app.agent.lease import DatabaseClock, Incarnation
from workers_app.agent.load import Load
from workers_app.agent.pool import Job
from workers_app.agent.reporter import Reporter
from workers_app.agent.request import AttemptRequest
from workers_app.agent.runner import Runner, cancelled
from workers_app.events import note
from workers_app.messaging import broker, protocol
from workers_app.messaging.dropped import MALFORMED, drop
from workers_app.messaging.envelope import Receiver
from workers_app.messaging.hearing import Hearing
from workers_app.messaging.protocol import (
    Ask,
    Assignment,
    Assignments,
    Cancel,
    Echo,
    Finished,
    Lease,
    ToWorker,
    worker_queue,
)
from workers_app.messaging.sealing import SealError
from workers_app.messaging.sender import Sender

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS, ANSWER_SECONDS = 2.0, 1.0
"""How often we say that we live; and how long we wait for an answer before we say it again, to all."""
RETRY_SECONDS, RETRY_SECONDS_MOST = 0.2, 1.0
"""The first and the longest wait before the broker is tried again. A lease is short, and Celery would wait for ever
longer, up to half a minute."""
WATCH_SECONDS = 0.2
BURDENED_SECONDS = 10.0
"""What the lease has ended is gone in less, or never: then this worker goes on, and does not say that all has ended."""
CLOSE_SECONDS = 5.0
"""Executors have so long to let go of what they hold."""
REMOTE_CONTROL = {
    *("active", "active_queues", "clock", "conf", "heartbeat", "hello", "ping", "query_task", "registered", "report"),
    *("reserved", "revoked", "scheduled", "stats", "enable_events", "disable_events", "revoke", "terminate"),
}
"""What `celery inspect` and `celery control` may ask for. A worker is stopped by a signal or drained over the API."""


class Consumer(CeleryConsumer):
    """Celery's consumer with our messages instead of Celery's tasks: a plain Celery message runs nothing."""

    def __init__(self, *args: Any, worker_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        quiet = {"without_mingle": True, "without_gossip": True}
        super().__init__(*args, worker_options={**(worker_options or {}), **quiet}, **kwargs)
        for name in set(control.Panel.data) - REMOTE_CONTROL:
            del control.Panel.data[name]
        self.clock = DatabaseClock()
        self.incarnation = Incarnation()
        self.hearing = Hearing()
        self.load = Load()
        self.receiver = Receiver[ToWorker](broker.seal(), ToWorker)
        self.reporter = Reporter(self.incarnation.boot, lambda: self.pool.call_in_hub(self._flush_soon))
        self.runner = Runner(self.reporter.add)
        self.attempts = Attempts(self.pool.limit, self._start, self._request, self.reporter.add)
        self._sender: Sender | None = None
        self._farewell: Farewell | None = None
        self._own_queue()
        self._beat_at = self._burdened_until = 0.0
        self._lease_watch = asyncio.run_coroutine_threadsafe(self._watch_lease(), self.pool.loop)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Try until the broker is there, or this worker has come to its end."""
        away = partial(note, "broker_away", "The broker is away: %s. Trying again in %g s.")
        return conn.ensure_connection(
            away,
            interval_start=RETRY_SECONDS,
            interval_step=RETRY_SECONDS,
            interval_max=RETRY_SECONDS_MOST,
            callback=self._while_away,
        )

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of our connections before Celery does, which would wait for the server."""
        self._let_go()
        super().on_connection_error_after_connected(exc)

    def _let_go(self) -> None:
        """Give both our connections up without waiting for a server that may not answer: a lease is short."""
        for connection in (self.event_dispatcher and self.event_dispatcher.connection, self.connection):
            if connection:
                broker.abandon(connection)

    # Messages in

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Delivery], None]:
        """Celery asks for it each time it has connected; so heartbeats begin anew here too."""
        self._sender = Sender(self.connection.channel())
        self.reporter.reconnected()
        self.hearing.reconnected()
        self._beat_at = 0.0
        self.timer.call_repeatedly(ANSWER_SECONDS, self._keep_beating)
        self.hub.call_soon(self.beat)
        return self._receive

    def _receive(self, delivery: Delivery) -> None:
        message = self.receiver.receive(delivery, self.incarnation.boot, self.clock.now)
        if message is None:
            return
        self.receiver.remember(delivery.body)
        self.hearing.heard()
        try:
            self._handle(message)
        except self.connection_errors + self.channel_errors:
            raise
        except Exception:  # A fault in handling one message must not end the attempts that run.
            logger.exception("Could not handle a message: %r", message)

    def on_decode_error(self, message: Delivery, exc: Exception) -> None:
        """Celery calls it for events and remote control that are not ours; it must not log what they say."""
        sealed = exc.args[0] if exc.args and isinstance(exc.args[0], SealError) else None
        drop(sealed.reason if sealed else "unsealed", f"for Celery's remote control: {type(exc).__name__}")
        message.ack()

    def _handle(self, message: ToWorker) -> None:
        match message:
            case Assignments():
                for assignment in message.items:
                    self._take(assignment)
            case Lease():
                self._renew(message)
            case Ask():
                self.attempts.explain(message.keys)
            case Cancel():
                self.attempts.stop(message.keys, "cancelled")
            case Echo():
                pass  # that it came is all it says

    def _take(self, assignment: Assignment) -> None:
        if self.incarnation.may_act:
            self.attempts.take(assignment)
        else:
            drop("no_lease", f"run {assignment.key.run}: this worker may not act")

    def _renew(self, lease: Lease) -> None:
        if lease.seconds <= 0:
            self._begin_anew("The dispatcher has given this worker up.")
            return
        if self.incarnation.grant(lease.seq, lease.seconds):
            self.clock.told(lease.now)
            self.pool.loop.call_soon_threadsafe(self.runner.renew, self.incarnation.seconds_left)
        self.attempts.stop(lease.cancel, "cancelled")
        self.attempts.explain(lease.unknown)

    # Heartbeats and reports out

    def _keep_beating(self) -> None:
        if self.incarnation.unanswered or time.monotonic() >= self._beat_at:
            self.beat()

    def beat(self, state: str = "") -> None:
        """Say that we are alive and what we hold; an ended lease is an ended incarnation."""
        self._beat_at = time.monotonic() + HEARTBEAT_SECONDS - ANSWER_SECONDS / 2
        if self.incarnation.ended:
            self._begin_anew("The lease has ended: no dispatcher has answered in time.")
        if self._is_burdened():
            self._beat_at = 0.0
            return
        heartbeat = protocol.Heartbeat(
            boot=self.incarnation.boot,
            seq=self.incarnation.next_heartbeat(),
            name=settings.NAME,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            labels=settings.LABELS,
            executors=sorted(executors.specs()),
            max_tasks=self.pool.limit,
            holds=list(self.attempts.held),
            state=state or ("draining" if self.attempts.closed else "online"),
            after=None if self.attempts.held else self.incarnation.after,
            cpu_percent=self.load.cpu_percent(),
            memory_percent=self.load.memory_percent(),
            namespaces=settings.NAMESPACES,
        )
        if self._sender:
            self._say(self._sender, heartbeat)
        self._flush()

    def _is_burdened(self) -> bool:
        """What an earlier incarnation ran has not all ended; at our first word dispatchers would start it elsewhere."""
        new = self.incarnation.seq == 0
        return new and bool(self.attempts.held) and time.monotonic() < self._burdened_until

    def _say(self, sender: Sender, heartbeat: protocol.Heartbeat) -> None:
        """To one dispatcher; to all when it does not answer, as it may stand still; and to ourselves when none does."""
        unanswered = self.incarnation.unanswered - 1
        if unanswered < 1 or heartbeat.state == "offline":
            sender.to_dispatchers(heartbeat, self.clock.now)
            return
        sender.to_all_dispatchers(heartbeat, self.clock.now)
        self._listen(sender)

    def _listen(self, sender: Sender) -> None:
        """Give up a connection on which we do not hear ourselves, and this process where no connection helps."""
        if self.hearing.is_deaf():
            note("deaf", "Nothing reaches this worker over its connection to the broker; connecting anew.")
            if self.hearing.is_ill:
                note("deaf_process", "No connection helped; this process ends, to be started anew.")
                state.should_terminate = os.EX_TEMPFAIL
            raise ConnectionResetError("nothing reaches us over this connection")
        if self.hearing.ask():
            sender.to_worker(self.incarnation.boot, Echo(), self.clock.now, self.hearing.accepted)

    def _flush_soon(self) -> None:
        self.hub.call_later(self.reporter.gather_seconds, self._flush)

    def _flush(self) -> None:
        self.reporter.flush(self._sender, self.clock.now)

    # Attempts

    def _start(self, assignment: Assignment, done: Callable[[Finished], None]) -> Job:
        incarnation = self.incarnation

        def ended(task: "asyncio.Task[Finished]") -> None:
            outcome = _outcome(assignment, task)
            # Past the lease what runs is ended, here or by the executor itself: that is no failure of its own.
            lost = bool(outcome.reason) and incarnation.ended
            done(msgspec.structs.replace(outcome, reason=AT_ONCE) if lost else outcome)

        return self.pool.apply_async(self.runner.carry_out, (assignment,), callback=ended)

    def _request(self, assignment: Assignment, cancel: Callable[[], None]) -> AttemptRequest:
        return AttemptRequest(assignment, self.hostname, self.event_dispatcher, cancel)

    # Incarnations

    async def _watch_lease(self) -> None:
        """End everything when the lease ends; on the pool's loop, as the main thread may be waiting for the broker."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.incarnation.ended:
                for job in list(self.pool.jobs):
                    job.cancel_here(AT_ONCE)

    def _begin_anew(self, why: str) -> None:
        """End all that runs and go on under a new boot id, with a queue of its own."""
        note("began_anew", "%s Ending %d attempts and beginning anew.", why, len(self.attempts.held))
        self.attempts.forget()
        before = worker_queue(self.incarnation.boot)
        self.incarnation = Incarnation(after=self.incarnation.boot)
        self._burdened_until = time.monotonic() + BURDENED_SECONDS
        self.reporter.forget(self.incarnation.boot)
        queue = self._own_queue()
        # From here on the broker may refuse; the next connection consumes the new queue all the same.
        self.cancel_task_queue(before)
        self.task_consumer.add_queue(queue)
        self.task_consumer.consume()
        self.task_consumer.channel.queue_delete(before)

    def _own_queue(self) -> Queue:
        """Select the queue of this incarnation alone."""
        queue = broker.worker_queue(self.incarnation.boot)
        self.app.amqp.queues.add(queue)
        # Celery gives every queue its default exchange; ours is reached by its name alone and needs no binding.
        queue.exchange = Exchange("")
        self.app.amqp.queues.select([queue.name])
        return queue

    # An orderly end

    def start(self) -> None:
        """Celery's work, over any number of connections; told to stop between two of them, it takes one more."""
        while True:
            try:
                super().start()
            except WorkerShutdown as told:
                if self._say_farewell(told.code).is_over():
                    raise
                self._let_go()
                self.on_close()
                self.blueprint.restart(self)
            else:
                return

    def loop(self, *args: Any) -> None:
        """Celery's event loop, and after it the farewell, which a lost connection only interrupts."""
        if self._farewell:
            # Celery sets the new connection up and comes back to us.
            state.should_stop = self._farewell.exitcode
        try:
            asynloop(*args)
        except WorkerShutdown as told:
            self._turn_until_over(self._say_farewell(told.code))
            raise
        except MALFORMED as error:
            drop("malformed", repr(error)[:200])
            logger.debug("Malformed", exc_info=True)
            # Celery connects anew, and what runs goes on; from other errors it would end.
            raise ConnectionResetError("something on the queue was no message at all") from error

    def _say_farewell(self, exitcode: Any) -> Farewell:
        """Begin to end, or go on with it. Celery must forget that it was told to: it would not connect again."""
        state.should_stop = None
        if self._farewell is None:
            self._farewell = Farewell(self.attempts, self.reporter, settings.GRACE_SECONDS, exitcode)
        return self._farewell

    def _while_away(self) -> None:
        """Between two tries to reach the broker: runs end meanwhile, and so may this worker's time."""
        state.maybe_shutdown()
        self.pool.deliver()
        if self._farewell and self._farewell.is_over():
            raise WorkerShutdown(self._farewell.exitcode)

    def _turn_until_over(self, farewell: Farewell) -> None:
        """Turn Celery's loop until all has ended and been told; told to hurry, it raises `WorkerTerminate`."""
        self.beat()
        turns = self.hub.create_loop()
        while not farewell.is_over():
            state.should_stop = None
            state.maybe_shutdown()
            next(turns)
        closing = asyncio.run_coroutine_threadsafe(self.runner.close(), self.pool.loop)
        try:
            closing.result(CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("Executors did not let go of all they hold within %g s.", CLOSE_SECONDS)
        self.beat("offline")


def _outcome(assignment: Assignment, task: "asyncio.Task[Finished]") -> Finished:
    """What `carry_out` returned; a task cancelled before its first step never got there."""
    try:
        return task.result()
    except asyncio.CancelledError as error:
        return cancelled(assignment, error)
