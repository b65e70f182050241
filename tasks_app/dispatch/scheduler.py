"""The dispatcher: one single-threaded loop inside `celery beat`.

`tick` blocks until a message arrives or something is due, then does the duties in a fixed order:
renew leases, record, recover, fire, reopen gates, assign, and see to the rows of django-celery-beat. Any number of
dispatchers may run; the database decides between them.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery.beat import Scheduler
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection, transaction

from tasks_app.clock import ClockWatch, database_now
from tasks_app.dispatch import pauses
from tasks_app.dispatch.advance import advance, expire
from tasks_app.dispatch.assign import Assigned, assign
from tasks_app.dispatch.backfill import release
from tasks_app.dispatch.fan_out import spread
from tasks_app.dispatch.fire import fire
from tasks_app.dispatch.give import BATCH
from tasks_app.dispatch.leases import LEASE_SECONDS, Letter, ask, renew
from tasks_app.dispatch.mail import Mail
from tasks_app.dispatch.outlook import Outlook, look
from tasks_app.dispatch.rearm import rearm
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.dispatch.reopen import SWEEP_SECONDS, Reopening
from tasks_app.periodic.duty import Periodic
from workers_app import metrics, registry
from workers_app.events import note
from workers_app.messaging.protocol import Finished, Heartbeat, Hint, Output, Report, Reports, Started, ToDispatcher

logger = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError, InternalError)
"""The database cannot be reached, is too slow, held up by others, full, or read-only: it says nothing of the data."""
POLL_SECONDS = 1.0
"""A lost hint, and whatever else nobody tells us, costs at most this."""
LISTEN_SECONDS = 3.0
"""Nobody is taken as gone before we have listened for so long: heartbeats come every two seconds."""

GATHER_SECONDS, GATHER_SECONDS_EACH, GATHER_SECONDS_MOST = 0.005, 0.0005, 0.05
"""After a turn messages are gathered, the longer the more it had to record: many cost less together."""
SOON_SECONDS = 0.01
"""Where others decide on the same things, one looks again after this; and so often at most for the next of a rate."""
ADVANCES = 100
"""Steps that flows may go on in one turn."""
FIRES = 8
"""Batches fired in one turn, each given out before the next, so that workers begin while more is fired."""


Duty = Callable[[list[ToDispatcher], datetime], list[Letter] | None]


class Dispatcher(Scheduler):
    """Celery's beat service runs it: `celery -A scheduler_project beat`."""

    def setup_schedule(self) -> None:
        metrics.serve()
        self._mail = Mail()
        self._periodic = Periodic()
        self._gates = Reopening()
        self._clock = ClockWatch()
        self._look_at = 0.0
        self._recover_at = 0.0
        self._gather_until = 0.0
        self._busy = False
        self._starved = True
        self._troubled = True
        self._backfilling = True
        self._waiting = True
        self._chained = True
        self._again = False

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One turn of the loop. Returns 0: it has waited already."""
        self._busy = True
        try:
            self._mail.wait(max(0.0, self._look_at - time.monotonic()), self._gather_until)
            recorded = self._duties(self._now())
            gather = GATHER_SECONDS + recorded * GATHER_SECONDS_EACH if recorded else 0.0
            self._gather_until = time.monotonic() + min(gather, GATHER_SECONDS_MOST)
        except AWAY as error:
            note("database_away", "The database is away: %s", error)
            connection.close()
            self._mail.close()
            self._clock = ClockWatch()
            time.sleep(POLL_SECONDS)
        finally:
            self._busy = False
        return 0.0

    def _now(self) -> datetime:
        """The database's time. After somebody has set its clock, leases tell nothing until they are renewed."""
        now = database_now()
        jump = self._clock.jump(now)
        if jump is None or jump < timedelta():
            registry.shorten(LEASE_SECONDS)
        if jump:
            note("clock_set", "The database's clock was set by %+.0f s.", jump.total_seconds())
            self._recover_at = time.monotonic() + LEASE_SECONDS
        return now

    def _duties(self, now: datetime) -> int:
        """Do what is due, and note when something is due again; return how much there was to record."""
        messages = self._mail.arrived(now)
        self._mail.send(self._commit(renew, messages, now), now)
        self._commit(partial(record, troubled=self._troubled), messages, now)
        self._mail.confirm()
        recorded = sum(len(message.items) if isinstance(message, Reports) else 1 for message in messages)
        if time.monotonic() < self._look_at and not any(map(self._may_change_what_is_due, messages)):
            return recorded
        self._recover(now)
        outlook = look(now)
        if outlook.spreading and spread(now):
            outlook = look(now)
        if outlook.unsettled:
            self._advance(now)
            outlook = look(now)
        if outlook.backfilling and release(now):
            outlook = look(now)
        if self._gates.turn(now, permits=outlook.permits, waiting=outlook.waiting):
            outlook = look(now)
        self._hand_out(_assign(now, outlook), now, outlook)
        for _ in range(FIRES):
            if not outlook.next_due or outlook.next_due > now:
                break
            # All or nothing: what somebody fires who ends before he assigns it, waits until others happen to look.
            with transaction.atomic():
                fire(now)
                outlook = look(now)
                assigned = _assign(now, outlook)
            self._hand_out(assigned, now, outlook)
        wait = min(_until([outlook.next_due, outlook.next_ready], now), self._periodic.turn(now))
        self._look_at = time.monotonic() + min(wait, self._until_gates_open(now, outlook))
        return recorded

    def _advance(self, now: datetime) -> None:
        """Each step that is skipped may let others be skipped."""
        for _ in range(ADVANCES):
            if not advance(now):
                return

    def _until_gates_open(self, now: datetime, outlook: Outlook) -> float:
        """Seconds until gates should be tried again."""
        if self._again or self._gates.pressing:
            return SOON_SECONDS
        if not self._waiting:
            return POLL_SECONDS
        return min(max(_until([outlook.next_free], now), SOON_SECONDS), SWEEP_SECONDS)

    def _hand_out(self, assigned: Assigned, now: datetime, outlook: Outlook) -> None:
        """Send what is assigned and assign all that is left, and note whether any of it may lack a slot."""
        self._troubled, self._backfilling, self._waiting = outlook.troubled, outlook.backfilling, outlook.waiting
        self._chained = outlook.chained or outlook.spreading
        self._mail.send(assigned.letters, now)
        while assigned.number == BATCH:
            assigned = _assign(now, outlook)
            self._mail.send(assigned.letters, now)
        self._starved, self._again = assigned.starved, assigned.again

    def _commit(self, duty: Duty, messages: list[ToDispatcher], now: datetime) -> list[Letter]:
        """Do a duty for all `messages` at once, or, where the database refuses that, for one after the other."""
        try:
            return duty(messages, now) or []
        except AWAY:
            raise
        except DatabaseError:
            if len(messages) == 1:
                logger.exception("Dropped a message that the database refuses: %r", messages[0])
                return []
        return [letter for message in messages for letter in self._commit(duty, [message], now)]

    def _may_change_what_is_due(self, message: ToDispatcher) -> bool:
        """False for what comes often and changes nothing: a success frees a slot, but for whom?"""
        wanted = self._starved or self._backfilling or self._waiting or self._chained
        match message:
            case Hint():
                return True
            case Heartbeat():
                return self._starved
        return any(wanted or not _succeeded(item) for item in message.items if not isinstance(item, Started | Output))

    def _recover(self, now: datetime) -> None:
        if time.monotonic() < self._recover_at:
            return
        self._recover_at = time.monotonic() + POLL_SECONDS
        pauses.end(now)
        expire(now)
        rearm(now)
        self._mail.send(ask(now), now)
        heard = time.monotonic() - self._mail.since
        if heard < LISTEN_SECONDS:
            return
        gone, lost = recover(now, blame=heard > LEASE_SECONDS)
        for worker in gone:
            note("worker_gone", "Worker %s (%s) is gone.", worker.name, worker.boot_id)
        for run in lost:
            note("attempt_lost", "Run %s lost attempt %d with its worker.", run.pk, run.attempt)
        self._mail.forget(worker.boot_id for worker in gone)

    def close(self) -> None:
        """Hang up. Beat calls this from its signal handler too, in the midst of a turn, and again after it."""
        if not self._busy:
            self._mail.close()
            self._periodic.close()

    @property
    def info(self) -> str:
        return "    . dispatcher -> record, recover, fire, reopen gates, assign, periodic tasks"


def _assign(now: datetime, outlook: Outlook) -> Assigned:
    return assign(now, outlook.placements, troubled=outlook.troubled)


def _succeeded(report: Report) -> bool:
    return isinstance(report, Finished) and not report.reason


def _until(moments: list[datetime | None], now: datetime) -> float:
    """Seconds until the earliest of `moments`, between 0 and `POLL_SECONDS`."""
    waits = [(moment - now).total_seconds() for moment in moments if moment]
    return max(0.0, min([POLL_SECONDS, *waits]))
