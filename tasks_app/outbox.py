"""How the web process tells dispatchers and workers that something changed.

All of it is hints: the row is committed first, and where the broker is away the message is dropped,
because a dispatcher looks every second and a worker is told again with its next lease.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from types import SimpleNamespace
from uuid import UUID

from django.db import transaction
from kombu import Connection

from workers_app.messaging import broker, protocol
from workers_app.messaging.sender import Sender

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1.0
REST_SECONDS = 5.0
"""After a failure nothing is tried for so long, so that a broker that is away costs requests next to nothing."""

_rest = SimpleNamespace(until=0.0)
_thread = threading.local()
"""Each thread keeps a connection of its own."""


def hint(now: datetime) -> None:
    """After the commit, wake a dispatcher."""
    transaction.on_commit(
        lambda: _send(lambda sender: sender.to_all_dispatchers(protocol.Hint(), now.timestamp())), robust=True
    )


def post(letters: Iterable[tuple[UUID, protocol.Message]], now: datetime) -> None:
    """After the commit, tell each worker (by its boot id) its message."""

    def send(sender: Sender) -> None:
        for boot, message in letters:
            sender.to_worker(boot, message, now.timestamp())

    transaction.on_commit(lambda: _send(send), robust=True)


def _send(send: Callable[[Sender], None]) -> None:
    if time.monotonic() < _rest.until:
        return
    try:
        _with_sender(send)
    except _errors() as error:
        _rest.until = time.monotonic() + REST_SECONDS
        logger.warning("Hint not sent, the broker is away: %s", error)


def _with_sender(send: Callable[[Sender], None]) -> None:
    """Use the thread's connection; where it has gone stale, try once more with a new one."""
    known = getattr(_thread, "url", None) == broker.url()
    try:
        send(_sender())
    except _errors():
        _hang_up()
        if not known:
            raise
        send(_sender())


def _sender() -> Sender:
    address = broker.url()
    if getattr(_thread, "url", None) != address:
        _hang_up()
        connection = broker.connect(seconds=TIMEOUT_SECONDS)
        _thread.connection = connection
        _thread.sender = Sender(connection.channel(), confirm=False)
        _thread.url = address
    return _thread.sender


def _hang_up() -> None:
    connection: Connection | None = getattr(_thread, "connection", None)
    _thread.url = _thread.connection = _thread.sender = None
    if connection:
        broker.abandon(connection)


def _errors() -> tuple[type[BaseException], ...]:
    return broker.errors(getattr(_thread, "connection", None) or broker.connect())
