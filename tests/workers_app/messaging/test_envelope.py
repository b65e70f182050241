"""What is in an envelope is believed by the one it is for, once, and in time; anything else is dropped and counted."""

import gzip
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from kombu import Connection, Consumer, Producer, Queue
from kombu.message import Message as Delivery
from kombu.serialization import dumps, loads

from workers_app.messaging import envelope
from workers_app.messaging.dropped import dropped
from workers_app.messaging.envelope import ANYBODY, MAX_BYTES, Memory, Receiver, wrap
from workers_app.messaging.protocol import (
    Assignment,
    Assignments,
    AttemptKey,
    Cancel,
    Foreign,
    Hint,
    Reports,
    Started,
    ToDispatcher,
    ToWorker,
)
from workers_app.messaging.sealing import CONTENT_TYPE, Seal, SealError, new_key

KEY = new_key()
SEAL = Seal([KEY])
BOOT = uuid4()
NOW = 2_000_000_000.0
ASSIGNMENT = Assignments(
    [Assignment(AttemptKey(uuid4(), 1), "nightly", "shell", "echo secret", {}, {"password": "1"}, "", None)]
)


def delivery(body: Any, **fields: Any) -> Delivery:
    return Delivery(body=body, content_type=fields.pop("content_type", CONTENT_TYPE), **fields)


@pytest.fixture
def receiver() -> Receiver[Any]:
    dropped.clear()
    return Receiver(SEAL, ToWorker)


def sealed(**changes: Any) -> bytes:
    given = {"message": ASSIGNMENT, "recipient": BOOT, "now": NOW} | changes
    return wrap(changes.pop("seal", SEAL), given["message"], given["recipient"], given["now"])


def test_what_is_wrapped_arrives_and_shows_nothing_on_its_way(receiver):
    body = sealed()
    assert receiver.receive(delivery(body), BOOT, NOW) == ASSIGNMENT
    for word in (b"echo", b"secret", b"password", b"nightly", BOOT.bytes, str(BOOT).encode()):
        assert word not in body
    assert not dropped


BOMB = os.urandom(10 * 1024 * 1024)


@pytest.mark.parametrize(
    ("reason", "forge"),
    [
        ("unsealed", lambda: delivery(b'["assignment"]', content_type="application/json")),
        ("unsealed", lambda: delivery(b"cos\nsystem\n(S'true'\ntR.", content_type="application/x-python-serialize")),
        ("unsealed", lambda: delivery(b"!!python/object/apply:os.system [true]", content_type="application/x-yaml")),
        ("unsealed", lambda: delivery(msgspec.msgpack.encode(ASSIGNMENT), content_type="application/x-msgpack")),
        ("unsealed", lambda: delivery(sealed(), content_type="application/data")),
        ("unsealed", lambda: delivery(sealed(), content_type=None)),
        ("unsealed", lambda: delivery(None)),
        ("unsealed", lambda: delivery({"task": "x"})),
        ("unsealed", lambda: delivery(gzip.compress(sealed()), headers={"compression": "application/x-gzip"})),
        ("wrong_key", lambda: delivery(msgspec.msgpack.encode(ASSIGNMENT))),
        ("wrong_key", lambda: delivery(b"")),
        ("wrong_key", lambda: delivery(sealed(seal=Seal([new_key()])))),
        ("altered", lambda: delivery(sealed()[:-1])),
        ("altered", lambda: delivery(sealed() + b"x")),
        ("too_large", lambda: delivery(BOMB)),
        ("too_large", lambda: delivery(sealed()[:50] + BOMB)),
        ("wrong_recipient", lambda: delivery(sealed(recipient=uuid4()))),
        ("wrong_recipient", lambda: delivery(sealed(recipient=envelope.DISPATCHERS))),
        ("wrong_recipient", lambda: delivery(sealed(recipient=ANYBODY))),
        ("expired", lambda: delivery(sealed(now=NOW - Assignments.fresh_seconds - 1))),
        ("not_understood", lambda: delivery(sealed(message=Hint()))),
        ("not_understood", lambda: delivery(sealed(message=Foreign({"method": "shutdown"})))),
        ("not_understood", lambda: delivery(SEAL.seal(b"\x91" * 100_000))),
        ("not_understood", lambda: delivery(SEAL.seal(msgspec.msgpack.encode(ASSIGNMENT)))),
    ],
)
def test_anything_else_is_dropped_and_counted(receiver, reason: str, forge: Callable[[], Delivery], caplog):
    envelope.install(SEAL)
    assert receiver.receive(forge(), BOOT, NOW) is None
    assert dropped == {reason: 1}
    assert "secret" not in caplog.text


def test_a_header_outside_the_seal_changes_nothing(receiver):
    swapped = delivery(sealed(), headers={"task": "other", "id": "1"}, properties={"reply_to": "x"})
    assert receiver.receive(swapped, BOOT, NOW) == ASSIGNMENT


def test_what_has_been_acted_upon_is_refused_when_it_comes_again(receiver):
    body = sealed()
    receiver.receive(delivery(body), BOOT, NOW)
    assert receiver.receive(delivery(body), BOOT, NOW) == ASSIGNMENT  # a redelivery: nobody has acted on it yet
    receiver.remember(body)
    assert receiver.receive(delivery(body), BOOT, NOW) is None
    assert receiver.receive(delivery(sealed()), BOOT, NOW) == ASSIGNMENT
    assert dropped == {"replayed": 1}


def test_an_undated_message_and_an_unknown_time_are_no_reason_to_refuse(receiver):
    assert receiver.receive(delivery(sealed(now=None)), BOOT, NOW) == ASSIGNMENT
    assert receiver.receive(delivery(sealed()), BOOT, None) == ASSIGNMENT


def test_reports_stay_true_for_days_and_cancels_do_not():
    receiver: Receiver[Any] = Receiver(SEAL, ToDispatcher)
    reports = Reports(BOOT, [Started(AttemptKey(uuid4(), 1))])
    late = NOW + 86_400
    assert receiver.open(sealed(message=reports), BOOT, late) == reports
    with pytest.raises(SealError, match="too late"):
        Receiver(SEAL, ToWorker).open(sealed(message=Cancel([])), BOOT, late)


def test_the_memory_forgets_whole_generations(monkeypatch):
    monkeypatch.setattr(envelope, "MEMORY_MESSAGES", 10)
    memory = Memory()
    for n in range(25):
        memory.add(bytes([n]))
    assert [bytes([n]) in memory for n in (0, 9, 10, 19, 20, 24)] == [False, False, True, True, True, True]


def test_celerys_own_messages_travel_sealed_once(receiver):
    envelope.install(SEAL)
    content_type, encoding, body = dumps({"method": "ping"}, serializer="sealed")
    assert (content_type, encoding) == (CONTENT_TYPE, "binary")
    assert b"ping" not in body
    assert loads(body, content_type, encoding, accept={CONTENT_TYPE}) == {"method": "ping"}
    with pytest.raises(Exception, match="come before"):
        loads(body, content_type, encoding, accept={CONTENT_TYPE})
    # And neither kind can be taken for the other.
    assert receiver.receive(delivery(dumps({"method": "ping"}, serializer="sealed")[2]), ANYBODY, NOW) is None
    with pytest.raises(Exception, match="nvalid value"):
        loads(sealed(recipient=ANYBODY), content_type, encoding, accept={CONTENT_TYPE})


def test_a_small_message_cannot_become_a_large_one():
    """kombu decompresses before anybody has asked for it, on the word of a header."""
    envelope.install(SEAL)
    with Connection("memory://") as connection:
        channel = connection.channel()
        got: list[Delivery] = []
        queue = Queue("bomb", channel=channel)
        queue.declare()
        body = gzip.compress(bytes(100 * 1024 * 1024))
        Producer(channel).publish(
            body, routing_key="bomb", content_type=CONTENT_TYPE, headers={"compression": "application/x-gzip"}
        )
        options = {"on_message": got.append, "on_decode_error": lambda each, error: got.append(each)}
        with Consumer(channel, [queue], accept=["sealed"], **options):
            connection.drain_events(timeout=1)
    assert got[0].errors
    assert len(got[0].body) == len(body) < MAX_BYTES
    assert Receiver(SEAL, ToWorker).receive(got[0], BOOT, NOW) is None
