"""What every broker must do for us: the same tests on Redis lists, Redis Streams and RabbitMQ."""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from kombu import Consumer, Producer

from tasks_app.dispatch.mail import Mail
from tests.waiting import wait_until
from workers_app.messaging import broker, protocol
from workers_app.messaging.dropped import dropped
from workers_app.messaging.envelope import Receiver
from workers_app.messaging.protocol import AttemptKey, Cancel, Hint, Reports, Started, ToWorker
from workers_app.messaging.sender import Sender

pytestmark = pytest.mark.usefixtures("any_broker")


def now() -> datetime:
    return datetime.now(UTC)


def report(number: int) -> Reports:
    return Reports(UUID(int=number), [Started(AttemptKey(UUID(int=number), 1))])


@pytest.fixture
def make_mail() -> Iterator[Callable[[], Mail]]:
    made: list[Mail] = []

    def make() -> Mail:
        made.append(Mail())
        made[-1].wait(0.01)
        return made[-1]

    yield make
    for mail in made:
        mail.close()


@pytest.fixture
def mail(make_mail) -> Mail:
    return make_mail()


@contextmanager
def sending() -> Iterator[Sender]:
    with broker.connect() as connection:
        yield Sender(connection.channel())


def taken(mail: Mail, confirm: bool = True, seconds: float = 0.05) -> list[Any]:
    """What has arrived; hints are left out."""
    mail.wait(seconds)
    messages = mail.arrived(now())
    if confirm:
        mail.confirm()
    return [message for message in messages if not isinstance(message, protocol.Hint)]


class Worker:
    """The queue of one incarnation, and what came out of it."""

    def __init__(self, boot: UUID) -> None:
        self.boot = boot
        self.connection = broker.connect()
        self.receiver: Receiver[Any] = Receiver(broker.seal(), ToWorker)
        self.messages: list[Any] = []
        options = {"on_message": self._take, "on_decode_error": lambda each, error: self._take(each)}
        channel = self.connection.channel()
        self.consumer = Consumer(channel, [broker.worker_queue(boot)], accept=["sealed"], no_ack=True, **options)
        self.consumer.consume()

    def _take(self, delivery: Any) -> None:
        if message := self.receiver.receive(delivery, self.boot, time.time()):
            self.messages.append(message)

    def wait_for(self, number: int) -> list[Any]:
        def look() -> bool:
            with suppress(TimeoutError):
                while len(self.messages) < number:
                    self.connection.drain_events(timeout=0.1)
            return len(self.messages) >= number

        wait_until(look, 10, f"{number} messages")
        return self.messages


@pytest.fixture
def make_worker() -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make(boot: UUID | None = None) -> Worker:
        made.append(Worker(boot or uuid4()))
        return made[-1]

    yield make
    for worker in made:
        worker.connection.release()


def test_reports_of_many_workers_reach_the_dispatchers_once(make_mail):
    mails = [make_mail(), make_mail()]
    arrived: list[int] = []
    with sending() as sender, sender.batch():
        for number in range(600):
            sender.to_dispatchers(report(number), time.time(), lambda: arrived.append(1))
    assert len(arrived) == 600
    got: list[int] = []
    wait_until(lambda: got.extend(m.boot.int for mail in mails for m in taken(mail)) or len(got) >= 600)
    assert sorted(got) == list(range(600))


def test_what_was_not_confirmed_comes_to_another_dispatcher(make_mail):
    first = make_mail()
    with sending() as sender, sender.batch():
        sender.to_dispatchers(report(7), time.time())
    wait_until(lambda: taken(first, confirm=False))
    first.close()
    second = make_mail()
    got: list[Any] = []
    wait_until(lambda: got.extend(taken(second)) or got)
    assert got == [report(7)]


def test_what_was_confirmed_does_not_come_again(make_mail):
    first = make_mail()
    with sending() as sender, sender.batch():
        sender.to_dispatchers(report(7), time.time())
    wait_until(lambda: taken(first))
    first.close()
    second = make_mail()
    with sending() as sender, sender.batch():
        sender.to_dispatchers(report(8), time.time())
    got: list[Any] = []
    wait_until(lambda: got.extend(taken(second)) or got)
    assert got == [report(8)]


def test_a_letter_reaches_the_incarnation_it_is_for(mail, make_worker):
    ours, other = make_worker(), make_worker()
    keys = [AttemptKey(UUID(int=n), n) for n in range(1, 1001)]
    mail.send([(ours.boot, Cancel([key])) for key in keys], now())
    mail.send([(other.boot, Cancel([]))], now())
    assert ours.wait_for(1000) == [Cancel([key]) for key in keys]
    assert other.wait_for(1) == [Cancel([])]


def test_a_letter_to_nobody_harms_nobody(mail, make_worker):
    worker = make_worker()
    mail.send([(uuid4(), Cancel([])), (worker.boot, Cancel([]))], now())
    mail.forget([uuid4()])
    assert worker.wait_for(1)


def test_a_hint_wakes_every_dispatcher(make_mail):
    mails = [make_mail(), make_mail()]
    woken: list[float] = []

    def sleep(mail: Mail) -> None:
        begun = time.monotonic()
        mail.wait(20)
        woken.append(time.monotonic() - begun)

    threads = [threading.Thread(target=sleep, args=[mail]) for mail in mails]
    for thread in threads:
        thread.start()
    with sending() as sender:
        # A dispatcher may not be listening yet when the first hint comes.
        wait_until(lambda: sender.to_all_dispatchers(Hint(), time.time()) or len(woken) == 2, 15)
    for thread in threads:
        thread.join()
    assert max(woken) < 15
    assert all(m.arrived(now()) for m in mails)


def test_an_empty_queue_makes_waiting_last(mail):
    begun = time.monotonic()
    mail.wait(0.5)
    assert time.monotonic() - begun >= 0.4
    assert mail.arrived(now()) == []


def test_a_worker_consumes_again_after_it_has_hung_up(mail, make_worker):
    worker = make_worker()
    worker.connection.release()
    mail.send([(worker.boot, Cancel([]))], now())
    assert make_worker(worker.boot).wait_for(1) == [Cancel([])]


@pytest.mark.parametrize(
    "forged",
    [
        {"body": {"task": "nightly", "args": ["true"]}, "serializer": "json"},
        {"body": {"task": "nightly", "args": ["true"]}, "serializer": "pickle"},
        {"body": {"task": "nightly", "args": ["true"]}, "serializer": "yaml"},
        {"body": b"\x00" * 10_000_000, "content_type": "application/x-scheduler-sealed", "content_encoding": "binary"},
        {"body": b"\x00" * 50_000_000, "content_type": "application/x-scheduler-sealed", "compression": "gzip"},
        {"body": b"x", "content_type": "application/data", "content_encoding": "no-such-encoding"},
        {"body": "x", "content_type": "application/x-scheduler-sealed", "headers": {"compression": "no-such"}},
    ],
)
def test_what_an_intruder_sends_stops_nobody(mail, make_worker, forged: dict[str, Any], monkeypatch):
    worker = make_worker()
    dropped.clear()
    with broker.connect() as connection:
        producer = Producer(connection.channel())
        body, options = forged["body"], {name: value for name, value in forged.items() if name != "body"}
        if options.pop("compression", None):
            body, options["headers"] = zlib.compress(body), {"compression": "application/x-gzip"}
        for queue in (protocol.INBOX, protocol.worker_queue(worker.boot)):
            producer.publish(body, routing_key=queue, **options)
    with sending() as sender, sender.batch():
        sender.to_dispatchers(report(1), time.time())
        sender.to_worker(worker.boot, Cancel([]), time.time())
    got: list[Any] = []
    wait_until(lambda: got.extend(taken(mail)) or got)
    assert got == [report(1)]
    assert worker.wait_for(1) == [Cancel([])]
    assert sum(dropped.values()) == 2


GARBAGE = [b"\xff\xfe", b"{}", b"[]", b'{"body": 1, "properties": null}', b'{"properties": {"delivery_tag": "x"}}']


@pytest.mark.parametrize("broker_kind", ["lists", "streams"], indirect=True)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_noise_put_straight_into_redis_stops_no_dispatcher(mail, broker_server, broker_kind, garbage: bytes):
    with redis.Redis.from_url(broker_server.url) as client:
        if broker_kind == "lists":
            client.lpush(protocol.INBOX, garbage)
        else:
            for stream in [key for key in client.keys(f"*{protocol.INBOX}*") if client.type(key) == b"stream"]:
                client.xadd(stream, {"x": garbage})
                client.xadd(stream, {"m": garbage, "body": garbage, "payload": garbage})
    with sending() as sender, sender.batch():
        sender.to_dispatchers(report(1), time.time())
    got: list[Any] = []
    wait_until(lambda: got.extend(taken(mail)) or got)
    assert got == [report(1)]
