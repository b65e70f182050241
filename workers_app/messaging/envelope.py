"""What surrounds a message inside its seal, and the one door through which messages come in.

Sealed together: for whom it is (a worker's boot id, or the dispatchers), until when it may be believed, and the
message itself with its kind, run and attempt. Nothing outside the seal is believed, the headers included. What
Celery sends of its own (events, remote control) is sealed as a kind of its own, so that neither can be taken for
the other.
"""

import time
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from kombu import compression
from kombu.exceptions import DecodeError
from kombu.message import Message as Delivery
from kombu.serialization import register

from workers_app.messaging.dropped import drop
from workers_app.messaging.protocol import Foreign, Message
from workers_app.messaging.sealing import CONTENT_TYPE, Seal, SealError, identity

SERIALIZER = "sealed"
DISPATCHERS = UUID(int=0)
ANYBODY = UUID(int=1)
MAX_BYTES = 4 * 1024 * 1024
"""Nothing we send comes near; what is larger is not even opened."""
MEMORY_SECONDS, MEMORY_MESSAGES = 60.0, 100_000
"""So long (twice that at most), and so many, messages are remembered that must not come again."""

T = TypeVar("T", bound=Message)


class Memory:
    """Which messages have been acted upon. Two generations: the older one is forgotten as a whole."""

    def __init__(self) -> None:
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._since = time.monotonic()

    def __contains__(self, message: bytes) -> bool:
        return message in self._young or message in self._old

    def add(self, message: bytes) -> None:
        if len(self._young) >= MEMORY_MESSAGES or time.monotonic() - self._since > MEMORY_SECONDS:
            self._young, self._old, self._since = set(), self._young, time.monotonic()
        self._young.add(message)


def wrap(seal: Seal, message: Message, recipient: UUID, now: float | None) -> bytes:
    """Seal `message`; `now` is the time in seconds since 1970, None where it is not known (yet)."""
    not_after = None if now is None else now + message.fresh_seconds
    return seal.seal(msgspec.msgpack.encode((recipient, not_after, message), enc_hook=str))


class Receiver(Generic[T]):
    """Opens messages of the union `kinds`."""

    def __init__(self, seal: Seal, kinds: Any) -> None:
        self._seal = seal
        self._decoder = msgspec.msgpack.Decoder(tuple[UUID, float | None, kinds])
        self._memory = Memory()

    def open(self, sealed: bytes, recipient: UUID, now: float | None) -> T:
        """The message, if it is for `recipient` and fresh at `now`; raises `SealError`."""
        if len(sealed) > MAX_BYTES:
            raise SealError("too_large", f"{len(sealed):,} bytes")
        plain = self._seal.open(sealed)
        if identity(sealed) in self._memory:
            raise SealError("replayed", "it has come before")
        try:
            to, not_after, message = self._decoder.decode(plain)
        except (msgspec.DecodeError, RecursionError) as error:
            raise SealError("not_understood", str(error)) from error
        if to != recipient:
            raise SealError("wrong_recipient", f"for {to}")
        if now is not None and not_after is not None and now > not_after:
            raise SealError("expired", f"{now - not_after:.1f} s too late")
        return message

    def receive(self, delivery: Delivery, recipient: UUID, now: float | None) -> T | None:
        """The message in `delivery`; None, counted and logged, for what is not to be believed."""
        try:
            return self.open(_sealed(delivery), recipient, now)
        except SealError as error:
            drop(error.reason, str(error))
            return None

    def remember(self, sealed: bytes) -> None:
        """What was sealed so has been acted upon: should it come again, it is refused."""
        self._memory.add(identity(sealed))


def _sealed(delivery: Delivery) -> bytes:
    if delivery.errors or delivery.content_type != CONTENT_TYPE or not isinstance(delivery.body, bytes):
        raise SealError("unsealed", f"content type {str(delivery.content_type)[:100]!r}")
    return delivery.body


def install(seal: Seal) -> None:
    """Register the serializer `sealed` for what Celery sends of its own, and refuse compressed messages.

    Celery's events and remote control know no database: they are dated by this machine's clock.
    """
    receiver = Receiver[Foreign](seal, Foreign)

    def dumps(value: Any) -> bytes:
        return wrap(seal, Foreign(value), ANYBODY, time.time())

    def loads(sealed: Any) -> Any:
        message = receiver.open(bytes(sealed), ANYBODY, time.time())
        receiver.remember(bytes(sealed))
        return message.body

    register(SERIALIZER, dumps, loads, content_type=CONTENT_TYPE, content_encoding="binary")
    for content_type in compression.encoders():
        compression.register(_refuse_compression, _refuse_compression, content_type)


def _refuse_compression(body: bytes) -> bytes:
    raise DecodeError("Compressed messages are not accepted.")
