"""Somebody who can read and write the broker, and has no key: nothing runs, nothing is learned, nothing stops."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery
from kombu import Connection, Consumer, Producer, Queue

from tests.acceptance.harness import Stack
from tests.waiting import wait_until
from workers_app.messaging import broker, envelope, protocol
from workers_app.messaging.protocol import Assignment, Assignments, AttemptKey, Cancel, Lease
from workers_app.messaging.sealing import CONTENT_TYPE, Seal, new_key

pytestmark = pytest.mark.acceptance


class Intruder:
    """A broker client; knows the broker's password, all addresses, and our source code."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.connection: Connection = broker.connect()
        self.producer = Producer(self.connection.channel())
        (worker,) = stack.get("workers/")["results"]
        self.boot = worker["boot_id"]
        self.queue = f"scheduler.worker.{self.boot}"
        self.log = stack.folder / "worker-1.log"

    def send(self, body: Any, **options: Any) -> None:
        self.producer.publish(body, routing_key=self.queue, **options)

    def send_sealed(self, body: bytes) -> None:
        self.send(body, content_type=CONTENT_TYPE, content_encoding="binary")

    def steal(self, queue: Queue, number: int, owner: Any, provoke: Callable[[], Any] = lambda: None) -> list[bytes]:
        """Take messages from a queue while the process that should get them stands still."""
        stolen: list[bytes] = []

        def look() -> bool:
            provoke()
            with suppress(TimeoutError):
                self.connection.drain_events(timeout=0.3)
            return len(stolen) >= number

        owner.send_signal(signal.SIGSTOP)

        with Consumer(
            self.connection.channel(), [queue], no_ack=True, on_message=lambda each: stolen.append(each.body)
        ):
            wait_until(look, 8, "messages are stolen")
        owner.send_signal(signal.SIGCONT)
        return stolen

    def dropped(self, reason: str) -> bool:
        return f"Dropped a message ({reason}," in self.log.read_text()


@pytest.fixture
def intruder(make_stack, any_broker: str) -> Iterator[Intruder]:
    stack = make_stack(broker_url=any_broker)
    stack.web()
    stack.dispatcher()
    stack.worker()
    intruder = Intruder(stack)
    yield intruder
    intruder.connection.release()


def test_nothing_forged_runs_and_nobody_stops(intruder: Intruder, tmp_path: Path, any_broker: str):
    mark = tmp_path / "forged"
    key = AttemptKey(uuid4(), 1)
    forged = Assignment(key, "nightly", "shell", f"touch {mark}", {}, {}, "2030-01-01T00:00:00+00:00", None)
    wrong = Seal([new_key()])
    for message in (Assignments([forged]), Cancel([key]), Lease(1, 0.0, [], [], time.time())):
        intruder.send_sealed(envelope.wrap(wrong, message, intruder.boot, time.time()))
    for serializer in ("json", "pickle", "yaml"):
        intruder.send({"task": "nightly", "args": [f"touch {mark}"]}, serializer=serializer)
    intruder.send_sealed(b"x" * 10_000_000)
    celery = Celery(broker=any_broker)
    celery.send_task("nightly", args=[f"touch {mark}"], queue=Queue(intruder.queue, no_declare=True))
    celery.control.shutdown()
    celery.control.broadcast("add_consumer", arguments={"queue": "celery"})
    celery.control.broadcast("pool_restart", serializer="pickle")
    stack = intruder.stack
    wait_until(lambda: all(map(intruder.dropped, ("wrong_key", "unsealed", "too_large"))), 10, "all is dropped")
    assert stack.wait_for(stack.run(stack.task("true")))["attempt"] == 1
    assert not mark.exists()
    assert [worker["boot_id"] for worker in stack.get("workers/")["results"]] == [intruder.boot]
    assert "forged" not in intruder.log.read_text()


def test_a_stolen_message_shows_nothing_and_its_replay_starts_nothing(intruder: Intruder, tmp_path: Path):
    stack, ledger = intruder.stack, tmp_path / "ledger"
    (worker,) = [p for p in stack.processes if "worker" in p.args]
    command = f"echo $SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT $SCHEDULER_PARAM_TOKEN >> {ledger}"
    task = stack.task(command, name="nightly-report", config={"env": {"PASSWORD": "hunter2"}})
    runs: list[str] = []

    def trigger() -> None:
        runs.append(stack.post(f"tasks/{task}/run/", {"params": {"token": "swordfish"}})["id"])

    stolen = intruder.steal(broker.worker_queue(UUID(intruder.boot)), 2, worker, trigger)
    for body in stolen:
        for word in ("echo", "nightly", "hunter2", "swordfish", "PASSWORD", "shell", intruder.boot):
            assert word.encode() not in body
        intruder.send_sealed(body)
        intruder.send_sealed(body)
    wait_until(lambda: set(stack.counts(task)) == {"succeeded"}, 40, "all runs have succeeded")
    assert intruder.dropped("replayed")
    for body in stolen:
        intruder.send_sealed(body)
    stack.wait_for(stack.run(stack.task("true", name="after")))
    lines = ledger.read_text().splitlines()
    assert len(lines) == len(set(lines)) == len(runs)


def test_a_message_for_the_dispatchers_or_for_another_worker_starts_nothing(intruder: Intruder):
    """Moved from one queue to another, which needs no key."""
    stack = intruder.stack
    (dispatcher,) = [p for p in stack.processes if "beat" in p.args]
    # A heartbeat that nobody answers goes to all who listen.
    everybody = Queue(f"intruder.{uuid4()}", exchange=broker.hints, exclusive=True, auto_delete=True)
    heartbeat = intruder.steal(everybody, 1, dispatcher)[0]
    intruder.send_sealed(heartbeat)
    wait_until(lambda: intruder.dropped("not_understood") or intruder.dropped("wrong_recipient"), 10, "it is dropped")
    intruder.producer.publish(heartbeat, routing_key=protocol.INBOX, content_type=CONTENT_TYPE)
    assert stack.wait_for(stack.run(stack.task("true")))["attempt"] == 1
