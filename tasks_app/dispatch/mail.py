"""The dispatcher's side of the broker: waits for messages, sends letters, comes back after an outage."""

import logging
import socket
import time
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

from kombu import Connection, Consumer, Queue
from kombu.message import Message as Delivery

from tasks_app.dispatch.leases import Letter
from workers_app.events import note
from workers_app.messaging import broker
from workers_app.messaging.dropped import MALFORMED, drop
from workers_app.messaging.envelope import DISPATCHERS, Receiver
from workers_app.messaging.hearing import Hearing
from workers_app.messaging.protocol import Hint, ToDispatcher, worker_queue
from workers_app.messaging.sender import Sender

logger = logging.getLogger(__name__)

BATCH = 500
"""At most so many messages are taken at once."""
TAKE_SECONDS = 0.25
"""And for so long, from the first one on."""
SILENT_SECONDS = 2.5
"""Workers speak every two seconds. When nobody does, we see whether we can hear ourselves."""


class Mail:
    """One connection; `wait`, read what has `arrived`, commit, `confirm`. What was not confirmed comes again."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._consumer: Consumer
        self._sender: Sender
        self._receiver: Receiver[ToDispatcher] = Receiver(broker.seal(), ToDispatcher)
        self._deliveries: list[Delivery] = []
        self._believed: list[bytes] = []
        self._failures = 0
        self._hearing = Hearing()
        self.since = 0.0
        """When it last connected, on the monotonic clock."""

    def wait(self, seconds: float, gather_until: float = 0.0) -> None:
        """Block until something arrives, or for `seconds`; then gather more until that moment (monotonic)."""
        try:
            connection = self._connected()
            self._drain(connection, seconds, gather_until)
            connection.heartbeat_check()
            self._listen()
        except self._errors as error:
            self._lost(error)
            time.sleep(min(seconds, 0.1 * 2 ** min(self._failures, 4)))

    def _listen(self) -> None:
        """Give up a connection on which we do not even hear ourselves."""
        if self._hearing.is_deaf():
            raise ConnectionResetError("nothing reaches us over this connection")
        if self._hearing.silence > SILENT_SECONDS and self._hearing.ask():
            self._sender.to_all_dispatchers(Hint(), now=None)

    def arrived(self, now: datetime) -> list[ToDispatcher]:
        """The messages that `wait` got and that may be believed."""
        opened = [(each, self._receiver.receive(each, DISPATCHERS, now.timestamp())) for each in self._deliveries]
        self._believed = [delivery.body for delivery, message in opened if message is not None]
        return [message for _, message in opened if message is not None]

    def confirm(self) -> None:
        """What has `arrived` is committed: the broker may forget it, and should it come again, it is refused."""
        deliveries, self._deliveries = self._deliveries, []
        for sealed in self._believed:
            self._receiver.remember(sealed)
        try:
            for delivery in deliveries:
                delivery.ack()
        except self._errors as error:
            self._lost(error)

    def send(self, letters: Iterable[Letter], now: datetime) -> None:
        """Send letters to workers. Where the broker is away they are dropped: heartbeats will settle it."""
        try:
            if letters and self._connected():
                with self._sender.batch():
                    for boot, message in letters:
                        self._sender.to_worker(boot, message, now.timestamp())
        except self._errors as error:
            self._lost(error)

    def forget(self, boots: Iterable[UUID]) -> None:
        """Delete the queues of workers that are gone."""
        try:
            for boot in boots:
                self._connected().default_channel.queue_delete(worker_queue(boot))
        except self._errors as error:
            self._lost(error)

    def close(self) -> None:
        """Give back what was not confirmed, and hang up."""
        connection, self._connection, self._deliveries, self._believed = self._connection, None, [], []
        if connection:
            broker.abandon(connection)

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        return broker.errors(self._connection or broker.connect())

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = broker.connect(heartbeat=broker.HEARTBEAT_SECONDS)
            connection.connect()
            self._connection = connection  # From here on `_lost` closes it, should the broker refuse what follows.
            channel = connection.default_channel
            wake_up = Queue(f"scheduler.hints.{uuid4()}", exchange=broker.hints, exclusive=True, auto_delete=True)
            self._consumer = Consumer(
                channel, accept=["sealed"], on_message=self._take, on_decode_error=lambda each, error: self._take(each)
            )
            self._consumer.add_queue(broker.inbox())
            self._consumer.add_queue(wake_up)
            self._consumer.qos(prefetch_count=BATCH)
            self._consumer.consume()
            self._sender = Sender(connection.channel())
            self._hearing.reconnected()
            self._failures = 0
            self.since = time.monotonic()
            logger.info("Connected to the broker.")
        return self._connection

    def _take(self, delivery: Delivery) -> None:
        self._hearing.heard()
        self._deliveries.append(delivery)

    def _drain(self, connection: Connection, seconds: float, gather_until: float) -> None:
        """Wait for the first message, then take what else is there already, or comes in time.

        Not for long: over a slow network each may take so long that the next one has come by then, without end.
        """
        wait, until = max(seconds, 0.001), None
        try:
            while len(self._deliveries) < BATCH:
                connection.drain_events(timeout=wait)
                now = time.monotonic()
                until = until or max(gather_until, now + TAKE_SECONDS)
                if now > until:
                    return
                wait = max(0.001, gather_until - now)
        except TimeoutError:
            return
        except socket.timeout:  # noqa: UP041 - kombu's own alias on some transports
            return
        except MALFORMED as error:
            drop("malformed", repr(error)[:200])

    def _lost(self, error: BaseException) -> None:
        self._failures += 1
        note("broker_away", "The broker is away: %s", error)
        self.close()
