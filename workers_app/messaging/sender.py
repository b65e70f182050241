"""Messages out: sealed, put on the right queue, and known to have arrived there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from kombu import Producer

from workers_app.messaging import broker, protocol
from workers_app.messaging.envelope import DISPATCHERS, wrap
from workers_app.messaging.sealing import CONTENT_TYPE


class Sender:
    """One channel to send on. All methods raise the connection's errors.

    Redis has a message when `publish` returns. RabbitMQ confirms later and in any number at once (publisher
    confirms), so nobody waits for each: a message's `arrived` is called when it is confirmed.
    """

    def __init__(self, channel: Any, confirm: bool = True) -> None:
        self._producer = Producer(channel)
        self._channel = channel
        self._sent = 0
        self._open: dict[int, Callable[[], None]] = {}
        self._confirms = confirm and hasattr(channel, "confirm_select")
        if self._confirms:
            channel.confirm_select()
            channel.events["basic_ack"].add(self._confirmed)

    def to_worker(
        self, boot: UUID, message: protocol.Message, now: float | None, arrived: Callable[[], None] = lambda: None
    ) -> None:
        """Send to one incarnation of a worker; `now` is the database's time in seconds since 1970, if known."""
        self._publish(message, boot, now, arrived, routing_key=protocol.worker_queue(boot), delivery_mode=1)

    def to_dispatchers(
        self, message: protocol.Message, now: float | None, arrived: Callable[[], None] = lambda: None
    ) -> None:
        """Put `message` into the inbox; `now` is None as long as the sender does not know the database's time."""
        self._publish(message, DISPATCHERS, now, arrived, routing_key=protocol.INBOX, delivery_mode=2)

    def to_all_dispatchers(self, message: protocol.Message, now: float | None) -> None:
        """Tell every dispatcher that listens now, rather than the one that comes first to the inbox."""
        exchange = {"exchange": broker.hints, "declare": [broker.hints]}
        self._publish(message, DISPATCHERS, now, delivery_mode=1, **exchange)

    def _publish(
        self,
        message: protocol.Message,
        recipient: UUID,
        now: float | None,
        arrived: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        sealed = wrap(broker.seal(), message, recipient, now)
        self._producer.publish(sealed, content_type=CONTENT_TYPE, content_encoding="binary", **options)
        if self._confirms:
            self._sent += 1
            self._open[self._sent] = arrived
        else:
            arrived()

    def _confirmed(self, tag: int, multiple: bool) -> None:
        for each in [known for known in self._open if known <= tag] if multiple else [tag]:
            if arrived := self._open.pop(each, None):
                arrived()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Messages sent within go together; on return the broker has them."""
        with self._producer.batch():
            yield
        while self._open:
            self._channel.connection.drain_events(timeout=broker.SECONDS)
