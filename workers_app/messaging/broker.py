"""The broker as every process sees it, whatever its kind: settings, connections, queues."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError

from workers_app import environment
from workers_app.messaging import envelope, protocol
from workers_app.messaging.envelope import SERIALIZER
from workers_app.messaging.sealing import Seal

if TYPE_CHECKING:
    from celery import Celery  # the web service does without it

RABBITMQ = ("amqp", "amqps")
LISTS = ("redis", "rediss", "redis+socket")
STREAMS = ("redis+stream", "rediss+stream")
SCHEMES = (*RABBITMQ, *LISTS, *STREAMS)
TLS = ("amqps", "rediss", "rediss+stream")
SECONDS = 2.0
"""Without an answer for so long a connection is taken as broken. kombu's Redis lists may wait twice, one after the
other, and a lease is short."""
HEARTBEAT_SECONDS = 6
"""RabbitMQ and we take each other for gone after so long (twice that at most) without a sign of life. What it has given
to one who is gone, reaches nobody else before."""
COLLECT_SECONDS = 1.0
EXPIRES_SECONDS = 60.0
"""The queue of a worker that is gone disappears by itself after so long."""

hints = Exchange(protocol.HINTS, type="fanout", durable=False, auto_delete=False)
_seals: list[Seal] = []


# What the environment says


def url() -> str:
    """`BROKER_URL`; a scheme that is not known is a problem."""
    return _known("BROKER_URL", environment.required("BROKER_URL", "Name a broker, such as redis://localhost:6379/0."))


def beat_url() -> str:
    """`CELERY_BEAT_BROKER_URL`: where the Celery workers listen that django-celery-beat's rows are for."""
    value = environment.text("CELERY_BEAT_BROKER_URL")
    return _known("CELERY_BEAT_BROKER_URL", value) if value else url()


def _known(name: str, value: str) -> str:
    if value and _scheme(value) not in SCHEMES:
        environment.problems.append(f"{name}: its scheme must be one of {', '.join(SCHEMES)}.")
    if _scheme(value) in STREAMS:
        # Late, as nobody else needs it: redis-py takes 20 MB.
        from workers_app.messaging import redis_streams  # noqa: PLC0415

        redis_streams.register()
    return value


def _scheme(address: str) -> str:
    return urlsplit(address).scheme


def is_rabbitmq(address: str) -> bool:
    """Others are Redis, one way or the other."""
    return _scheme(address) in RABBITMQ


def tls(address: str) -> dict[str, Any] | None:
    """How to make sure who the broker at `address` is, and to show who we are; None without TLS.

    `BROKER_CA_FILE`, `BROKER_CERTIFICATE_FILE` and `BROKER_KEY_FILE` name PEM files; `BROKER_VERIFY=no` believes
    any broker.
    """
    if _scheme(address) not in TLS:
        return None
    verify = environment.flag("BROKER_VERIFY", True)
    found = {
        "cert_reqs": ssl.CERT_REQUIRED if verify else ssl.CERT_NONE,
        "ca_certs": environment.path("BROKER_CA_FILE"),
        "certfile": environment.path("BROKER_CERTIFICATE_FILE"),
        "keyfile": environment.path("BROKER_KEY_FILE"),
    }
    if is_rabbitmq(address):
        return found | ({"server_hostname": urlsplit(address).hostname} if verify else {})
    return {f"ssl_{name}": value for name, value in found.items()} | {"ssl_check_hostname": verify}


def install_seal() -> None:
    """Make the serializer `sealed` from `SCHEDULER_MESSAGE_KEYS`; an unusable key list is a problem."""
    mend = "Set keys made by `python manage.py new_key`, newest first, the same for all services."
    keys = environment.required("SCHEDULER_MESSAGE_KEYS", mend)
    if not keys:
        return
    try:
        _seals[:] = [Seal(keys.replace(",", " ").split())]
    except ValueError as error:
        environment.problems.append(f"SCHEDULER_MESSAGE_KEYS: {error}. {mend}")
    else:
        envelope.install(_seals[0])


def seal() -> Seal:
    """The seal of this process; it must have been installed."""
    return _seals[0]


# Connections


def configure(app: Celery, **settings: Any) -> None:
    """Give a Celery app the settings that all our processes share, then its own."""
    install_seal()
    address = url()
    app.conf.update(
        broker_url=address or "memory://",
        broker_use_ssl=tls(address),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A broker that refuses, as its disk is full say, will not refuse for ever.
        broker_channel_error_retry=True,
        # An exclusive queue would be locked for as long as RabbitMQ believes in a connection that we gave up.
        control_queue_exclusive=False,
        control_queue_durable=True,
        broker_transport_options=_options(address, SECONDS),
        broker_heartbeat=HEARTBEAT_SECONDS,
        accept_content=[SERIALIZER],
        task_serializer=SERIALIZER,
        event_serializer=SERIALIZER,
        result_serializer=SERIALIZER,
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        **settings,
    )


def connect(seconds: float = SECONDS, heartbeat: float = 0.0, address: str = "", confirm: bool = False) -> Connection:
    """A connection of one's own, not yet opened; no answer for `seconds` is an error, and nothing is tried twice.

    With `heartbeat` (seconds, RabbitMQ only) the caller calls `heartbeat_check` often. Without `address` it goes to our
    own broker. With `confirm` each `publish` waits until the broker has the message.
    """
    address = address or url()
    own = {"confirm_publish": confirm} if is_rabbitmq(address) else {"max_retries": 0}
    options = _options(address, seconds) | own
    return Connection(
        address, ssl=tls(address) or False, transport_options=options, connect_timeout=seconds, heartbeat=heartbeat
    )


def abandon(connection: Connection) -> None:
    """Close a connection that may be broken, without waiting long for an answer; what was not confirmed goes back."""
    with suppress(*errors(connection)):
        # Of RabbitMQ: the closing handshake is left out, as there nothing would end the wait for it.
        if hangs_up := getattr(connection._connection, "collect", None):
            hangs_up()
        for open_socket in _sockets(connection):
            open_socket.settimeout(COLLECT_SECONDS)
        connection.collect(socket_timeout=COLLECT_SECONDS)


def _sockets(connection: Connection) -> Iterator[Any]:
    """Those on which kombu's Redis lists may still wait for an answer when they are closed."""
    for channel in getattr(connection._transport, "channels", None) or ():
        for client in (vars(channel).get(name) for name in ("client", "subclient")):
            if open_socket := getattr(getattr(client, "connection", None), "_sock", None):
                yield open_socket


def errors(connection: Connection) -> tuple[type[BaseException], ...]:
    """What `connection` raises when the broker is away, or refuses."""
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def _options(address: str, seconds: float) -> dict[str, Any]:
    """Options of the transport; without an answer for `seconds` the connection is taken as broken."""
    if is_rabbitmq(address):
        return {"write_timeout": seconds, "read_timeout": seconds}
    return {
        # Redis lists hand a message that was not confirmed to another consumer after so many seconds.
        "visibility_timeout": 60,
        "socket_keepalive": True,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
    }


# Queues


def inbox() -> Queue:
    """The one queue all dispatchers share. On RabbitMQ it is a quorum queue, which outlives the loss of a node."""
    arguments = {"x-queue-type": "quorum"} if is_rabbitmq(url()) else None
    return Queue(
        protocol.INBOX, exchange=Exchange(""), routing_key=protocol.INBOX, durable=True, queue_arguments=arguments
    )


def worker_queue(boot: UUID) -> Queue:
    """The queue of one incarnation; no_ack, as the lease in the database carries the risk."""
    name = protocol.worker_queue(boot)
    return Queue(name, exchange=Exchange(""), routing_key=name, durable=True, no_ack=True, expires=EXPIRES_SECONDS)
