"""How the web process tells dispatchers and workers that something changed.

All of it is hints: the row is committed first, and where the broker is away the message is dropped,
because a dispatcher looks every second and a worker is told again with its next lease.
"""

import logging
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace

from django.db import transaction
from kombu import Producer
from kombu.exceptions import OperationalError
from kombu.pools import producers

from workers_app.messaging import broker, protocol

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1.0
REST_SECONDS = 5.0
"""After a failure nothing is tried for so long, so that a broker that is away costs requests next to nothing."""

_rest = SimpleNamespace(until=0.0)


def hint() -> None:
    """After the commit, wake a dispatcher."""
    transaction.on_commit(lambda: _send(broker.hint), robust=True)


def post(letters: Iterable[tuple[str, protocol.Message]]) -> None:
    """After the commit, put each message on its queue."""

    def publish(producer: Producer) -> None:
        for queue, message in letters:
            broker.publish(producer, message, queue)

    transaction.on_commit(lambda: _send(publish), robust=True)


def _send(publish: Callable[[Producer], None]) -> None:
    if time.monotonic() < _rest.until:
        return
    connection = broker.connect(seconds=TIMEOUT_SECONDS)
    try:
        with producers[connection].acquire(block=True, timeout=TIMEOUT_SECONDS) as producer:
            publish(producer)
    except (OperationalError, *connection.connection_errors, *connection.channel_errors) as error:
        _rest.until = time.monotonic() + REST_SECONDS
        logger.warning("Hint not sent, the broker is away: %s", error)
