"""Send what is decided, each message in the transaction that deletes it.

Who is killed between the two statements, or gets no answer from the broker, leaves it to be sent again, with the same
id: one message of one dispatcher, and never a second decision.
"""

import time
from typing import Any

from amqp.exceptions import ChannelError, FrameSyntaxError, MessageNacked, NotFound
from celery import current_app
from django.db import transaction
from kombu import Connection, Producer, Queue
from kombu.utils.json import loads

from tasks_app.models import PeriodicMessage
from tasks_app.sql import claimed
from workers_app import environment
from workers_app.events import note
from workers_app.messaging import broker

TIMEOUT_SECONDS = 1.0
"""A broker that does not answer must hold up neither the dispatcher nor, in PostgreSQL, the transaction."""
REFUSED = (ChannelError, FrameSyntaxError, MessageNacked)
"""What RabbitMQ says against one message or its way, and not against all."""
REST_SECONDS_MOST = 60.0
"""After a failure nothing is tried for a second, then two, four …"""


class Post:
    """One connection to the broker where the Celery workers listen."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._producer: Producer
        self._queues: set[str] = set()
        self._failures = 0
        self._rest_until = 0.0

    def send(self, seconds: float) -> bool:
        """Send for about so long; return whether there may be more."""
        until = time.monotonic() + seconds
        while time.monotonic() >= self._rest_until:
            if time.monotonic() > until:
                return True
            try:
                if not self._send_one():
                    return False
                self._failures = 0
            except self._errors as error:
                self._rest_until = time.monotonic() + min(2.0**self._failures, REST_SECONDS_MOST)
                self._failures += 1
                note("beat_broker_away", "The broker of periodic tasks is away: %s", error)
                self.close()
        return False

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        return broker.errors(self._connection or broker.connect(address=broker.beat_url()))

    def _send_one(self) -> bool:
        self._connected()
        with transaction.atomic(savepoint=False):
            message = claimed(PeriodicMessage.objects.order_by("pk")).first()
            if message is None:
                return False
            PeriodicMessage.objects.filter(pk=message.pk).delete()
            try:
                self._publish(str(message.pk), **loads(message.body))
            except Exception as error:  # as beat does: it would be refused again and again, and hold up the others
                if isinstance(error, self._errors) and not isinstance(error, REFUSED):
                    raise
                note("periodic_message_refused", "A periodic task cannot be sent (%s): %s", error, message.body)
                self.close()
        return True

    def _publish(
        self,
        task_id: str,
        task: str,
        args: list[Any],
        kwargs: dict[str, Any],
        headers: dict[str, Any],
        expires: Any,
        queue: str | None = None,
        exchange: str | None = None,
        routing_key: str | None = None,
        **properties: Any,
    ) -> None:
        """As `send_task` does, but for `sealed`, which is how our own app speaks."""
        made = current_app.amqp.as_task_v2(task_id, task, args, kwargs, expires=expires)
        if not exchange or not routing_key:
            exchange, routing_key = "", queue or environment.text("CELERY_BEAT_QUEUE", "celery")
            self._declare(routing_key)
        self._producer.publish(
            made.body,
            exchange=exchange,
            routing_key=routing_key,
            serializer="json",
            headers=made.headers | headers,
            delivery_mode=2,
            confirm_timeout=TIMEOUT_SECONDS,
            **made.properties,
            **properties,
        )

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = broker.connect(TIMEOUT_SECONDS, address=broker.beat_url(), confirm=True)
            connection.connect()
            self._connection = connection  # From here on `close` closes it, should the broker refuse what follows.
            self._producer = Producer(connection.channel())
            self._queues = set()
        return self._connection

    def _declare(self, name: str) -> None:
        """A queue that is there stays as its workers have made it; else it is made. Redis needs none."""
        if name in self._queues or not broker.is_rabbitmq(broker.beat_url()):
            return
        connection = self._connected()
        try:
            with connection.channel() as channel:
                Queue(name, channel=channel).queue_declare(passive=True)
        except NotFound:
            with connection.channel() as channel:
                Queue(name, channel=channel).queue_declare()
        self._queues.add(name)

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection:
            broker.abandon(connection)
