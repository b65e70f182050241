"""A thread that keeps what a connection holds: no task is too long for it, as no event loop has to turn.

It confirms what was acknowledged when nobody else did so soon, tells the server that this consumer lives, and
postpones the end of queues that expire. Idle, it wakes a few times a minute.
"""

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from workers_app.messaging.redis_streams.channel import Channel
    from workers_app.messaging.redis_streams.transport import Transport

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""So soon it tries again after the server was away."""


class Keeper:
    """Starts its thread when there is something to keep; the thread ends with the transport, closed or forgotten."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = weakref.ref(transport)
        self._ack_delay = transport.ack_delay
        self._stirred = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on something is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="redis-streams-keeper", daemon=True)
            self._thread.start()

    def stir(self) -> None:
        """Something was acknowledged: see to it that it is confirmed soon."""
        if not self._stirred.is_set():
            self._stirred.set()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._stirred.set()

    def _run(self) -> None:
        refresh_at = time.monotonic()
        while not self._closed.is_set():
            stirred = self._stirred.wait(max(refresh_at - time.monotonic(), 0.0))
            try:
                if stirred:
                    self._confirm()
                if time.monotonic() >= refresh_at:
                    refresh_at = time.monotonic() + self._refresh()
            except (RedisError, OSError) as error:  # The next read notices that the server is away.
                refresh_at = max(refresh_at, time.monotonic() + RETRY_SECONDS)
                logger.debug("Not kept this time: %s", error)

    def _confirm(self) -> None:
        before = [(channel, channel.ledger.taken) for channel in self._channels()]
        self._closed.wait(self._ack_delay)
        self._stirred.clear()
        for channel, taken in before:
            if channel.ledger.taken == taken:
                channel.flush()
            elif channel.ledger.acknowledged:
                self._stirred.set()

    def _refresh(self) -> float:
        for channel in self._channels():
            channel.refresh()
        transport = self._transport()
        return transport.refresh_seconds() if transport else 0.0

    def _channels(self) -> list["Channel"]:
        transport = self._transport()
        if transport is None:
            self._closed.set()
            return []
        return list(transport.channels)
