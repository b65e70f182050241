"""Dispatchers: the real loop's duties and the real mail, on a channel that is no broker, and with accidents."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from tasks_app.dispatch import scheduler
from tasks_app.dispatch.mail import Mail
from tasks_app.dispatch.record import record
from tasks_app.dispatch.scheduler import Dispatcher
from tasks_app.models import ACTIVE, TaskRun
from tests.simulation.channel import Channel, Delivery, Post
from tests.simulation.clock import clock
from tests.simulation.ledger import Ledger
from workers_app.messaging.protocol import INBOX, AttemptKey, Reports, ToDispatcher


class Crash(Exception):
    """The dispatcher's process is gone."""


class SimulatedMail(Mail):
    """The real mail; each use of it is a moment at which an accident may happen."""

    _errors = (ConnectionError,)

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._sender = Post(channel)
        self.since = clock.monotonic()
        self._unconfirmed: list[tuple[str, bytes]] = []
        self.moments_left = -1
        self.accident: Callable[[], None] = lambda: None

    def collect(self, name: str, most: int, last_first: bool) -> None:
        """Get messages from a box."""
        for sealed in self._channel.take(name, most, last_first):
            message = (name, sealed)
            self._unconfirmed.append(message)
            self._take(Delivery(sealed, ack=lambda message=message: self._unconfirmed.remove(message)))

    def broken_off(self) -> None:
        """The connection is gone: what was not confirmed comes again."""
        for name, sealed in reversed(self._unconfirmed):
            self._channel.give_back(name, [sealed])

    def _connected(self) -> Any:
        return self._channel

    def _moment(self) -> None:
        self.moments_left -= 1
        if self.moments_left == -1:
            self.accident()

    def arrived(self, now: datetime) -> list[ToDispatcher]:
        self._moment()
        return super().arrived(now)

    def confirm(self) -> None:
        self._moment()
        super().confirm()

    def send(self, letters: Iterable[Any], now: datetime) -> None:
        self._moment()
        super().send(letters, now)


class SimulatedDispatcher(Dispatcher):
    """The real duties without Celery's beat around them."""

    def __init__(self, name: str, channel: Channel, ledger: Ledger, ahead: float) -> None:
        self.name, self._channel, self._ledger, self._ahead = name, channel, ledger, ahead
        with clock.on_machine(ahead):
            self.setup_schedule()

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._mail = SimulatedMail(self._channel)

    def __repr__(self) -> str:
        return self.name

    def turn(
        self, most: int = 1000, last_first: bool = False, at: int = -1, accident: Callable[[], None] = lambda: None
    ) -> None:
        """Take messages and do what is due; at the moment number `at`, if there is one, an accident happens.

        Raises `Crash` where that is the accident.
        """
        mail = self._mail
        with clock.on_machine(self._ahead), patch.object(scheduler, "record", self._record_watched):
            mail.collect(self.name, most, last_first)
            mail.collect(INBOX, most, last_first)
            mail.moments_left, mail.accident = at, accident
            try:
                self._duties(self._now())
            except Crash:
                mail.broken_off()
                raise
            finally:
                mail.moments_left = -1

    def reconnect(self) -> None:
        """The broker was away for a moment."""
        with clock.on_machine(self._ahead):
            self._mail.since = clock.monotonic()

    def _record_watched(self, messages: list[ToDispatcher], now: datetime, **how: bool) -> None:
        """Record, and see whether a late report changed anything."""
        reports = [item for message in messages if isinstance(message, Reports) for item in message.items]
        before = _rows({item.key.run for item in reports})
        record(messages, now, **how)
        after = _rows(set(before))
        told = {item.key for item in reports}
        for run, row in before.items():
            in_time = AttemptKey(run, row["attempt"]) in told and row["status"] in ACTIVE
            if not in_time and after[run] != row:
                self._ledger.breach(f"late reports changed {row} to {after[run]}")


def _rows(runs: set[UUID]) -> dict[UUID, dict[str, Any]]:
    return {row["id"]: row for row in TaskRun.objects.filter(pk__in=runs).values()} if runs else {}
