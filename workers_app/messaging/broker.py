"""The broker as every process sees it: one Celery configuration, one way to publish, one way to read."""

from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from celery import Celery
from kombu import Connection, Exchange, Producer, Queue
from kombu.message import Message as Delivery

from workers_app import environment
from workers_app.messaging import protocol, sealing

SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")

hints = Exchange(protocol.HINTS, type="fanout", durable=False, auto_delete=False)
inbox = Queue(protocol.INBOX, exchange=Exchange(""), routing_key=protocol.INBOX, durable=True)

T = TypeVar("T")


def url() -> str:
    """`BROKER_URL`; a scheme that is not known is a problem."""
    value = environment.required("BROKER_URL", "Name a broker, such as redis://localhost:6379/0.")
    if value and urlsplit(value).scheme not in SCHEMES:
        environment.problems.append(f"BROKER_URL: its scheme must be one of {', '.join(SCHEMES)}.")
    return value


def install_seal() -> None:
    """Make the serializer `sealed` from `SCHEDULER_MESSAGE_KEYS`; an unusable key list is a problem."""
    mend = "Set keys made by `python manage.py new_key`, newest first, the same for all services."
    keys = environment.required("SCHEDULER_MESSAGE_KEYS", mend)
    if not keys:
        return
    try:
        sealing.install(sealing.Seal(keys.replace(",", " ").split()))
    except ValueError as error:
        environment.problems.append(f"SCHEDULER_MESSAGE_KEYS: {error}. {mend}")


def configure(app: Celery, **settings: Any) -> None:
    """Give a Celery app the settings that all our processes share, then its own."""
    install_seal()
    app.conf.update(
        broker_url=url() or "memory://",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Redis hands a message that was not confirmed to another consumer after so many seconds.
        broker_transport_options={"visibility_timeout": 60, "socket_keepalive": True, "socket_timeout": 30},
        accept_content=["sealed"],
        task_serializer="sealed",
        event_serializer="sealed",
        result_serializer="sealed",
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        **settings,
    )


def publish(producer: Producer, message: protocol.Message, queue: str) -> None:
    """Put `message` on `queue`; raises the connection's errors."""
    producer.publish(message, serializer="sealed", exchange="", routing_key=queue, delivery_mode=1)


def hint(producer: Producer) -> None:
    """Tell the dispatchers that something may be pending."""
    producer.publish(protocol.Hint(), serializer="sealed", exchange=hints, declare=[hints], delivery_mode=1)


def read(delivery: Delivery, kind: type[T]) -> T:
    """The message in `delivery`; raises `kombu.exceptions.DecodeError` or `ContentDisallowed` for what is not ours."""
    try:
        return msgspec.convert(delivery.decode(), kind, strict=True, builtin_types=None)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise sealing.SealError(f"not a message of ours: {error}") from error


def connect(seconds: float = 30.0) -> Connection:
    """A connection of one's own, not yet opened; no answer for `seconds` is an error, and nothing is tried twice."""
    options: dict[str, Any] = {"visibility_timeout": 60, "socket_keepalive": True, "socket_timeout": seconds}
    options |= {"socket_connect_timeout": seconds, "max_retries": 0}
    return Connection(url(), transport_options=options, connect_timeout=seconds)
