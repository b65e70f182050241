"""What is decided arrives at a Celery worker's queue, once; whatever becomes of us or of the broker meanwhile."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Connection, Exchange, Queue
from kombu.utils.json import dumps

from tasks_app.models import PeriodicMessage
from tasks_app.periodic import post
from tasks_app.periodic.post import Post
from tests.tasks_app.periodic.test_together import Killed, until
from tests.waiting import wait_until
from workers_app.messaging import broker

pytestmark = pytest.mark.django_db(transaction=True)


def decided(**fields: Any) -> PeriodicMessage:
    body = {"task": "shop.tick", "args": [1], "kwargs": {"two": 2}, "headers": {"tenant": "acme"}, "expires": None}
    return PeriodicMessage.objects.create(body=dumps(body | fields))


class Receiver:
    """What Celery workers of another project would see."""

    def __init__(self, url: str) -> None:
        self.connection = Connection(url)
        self.app = Celery("shop", broker=url, set_as_current=False)
        self.app.conf.task_create_missing_queues = True

    def queue(self, name: str) -> Queue:
        return self.app.amqp.queues[name](self.connection)

    def take(self, name: str) -> list[Any]:
        """All that is in a queue now."""
        queue, found = self.queue(name), []
        queue.declare()
        while message := queue.get(no_ack=True, accept=["json"]):
            found.append(message)
        return found


@pytest.fixture
def receiver(any_broker: str):
    found = Receiver(any_broker)
    yield found
    found.connection.release()


@pytest.fixture
def sender():
    found = Post()
    yield found
    found.close()


def send(sender: Post) -> None:
    wait_until(lambda: sender.send(1) is False, what="all is sent")


def test_a_message_as_celery_sends_it(receiver: Receiver, sender: Post):
    queue = f"celery-{uuid4()}"
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    first = decided(queue=queue, priority=3, expires=expires)
    decided(queue=queue)
    send(sender)
    one, other = sorted(receiver.take(queue), key=lambda message: message.headers["id"])
    assert one.headers["id"] == one.properties["correlation_id"] == str(first.pk)
    assert one.payload == [[1], {"two": 2}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    assert (one.headers["task"], one.headers["tenant"]) == ("shop.tick", "acme")
    assert (one.headers["expires"], one.properties["priority"]) == (expires.isoformat(), 3)
    assert other.headers["expires"] is None
    assert PeriodicMessage.objects.count() == 0


def test_without_a_queue_it_goes_to_the_usual_one(receiver: Receiver, sender: Post, monkeypatch):
    monkeypatch.setitem(os.environ, "CELERY_BEAT_QUEUE", f"usual-{uuid4()}")
    decided(exchange="incomplete", queue=None)
    send(sender)
    assert len(receiver.take(os.environ["CELERY_BEAT_QUEUE"])) == 1


def test_by_exchange_and_routing_key(receiver: Receiver, sender: Post):
    name = f"jobs-{uuid4()}"
    queue = Queue(f"{name}-eu", exchange=Exchange(name), routing_key="eu")(receiver.connection)
    queue.declare()
    decided(exchange=name, routing_key="eu")
    send(sender)
    message = queue.get(no_ack=True, accept=["json"])
    assert message.headers["task"] == "shop.tick"


def test_killed_at_any_statement_it_arrives_once(receiver: Receiver):
    queue, statement, alive = f"celery-{uuid4()}", 0, False
    while not alive:
        message, first, second = decided(queue=queue), Post(), Post()
        alive = not until(statement, lambda: send(first))  # noqa: B023 - called at once
        send(second)
        assert [m.headers["id"] for m in receiver.take(queue)] == [str(message.pk)]
        first.close()
        second.close()
        statement += 1
    assert statement > 3


def test_between_publishing_and_commit_is_the_one_moment_that_sends_it_again(receiver, sender, monkeypatch):
    queue = f"celery-{uuid4()}"
    message = decided(queue=queue)

    def dies(self: Post, *args: Any, **kwargs: Any) -> None:
        publish(self, *args, **kwargs)
        raise Killed

    publish = Post._publish
    monkeypatch.setattr(Post, "_publish", dies)
    with pytest.raises(Killed):
        send(sender)
    monkeypatch.setattr(Post, "_publish", publish)
    send(sender)
    assert [m.headers["id"] for m in receiver.take(queue)] == [str(message.pk)] * 2


class TestABrokerThatIsAway:
    def test_costs_no_message_and_little_time(self, broker_url: str, monkeypatch, sender: Post):
        decided()
        monkeypatch.setitem(os.environ, "CELERY_BEAT_BROKER_URL", "redis://127.0.0.1:1/0")
        assert sender.send(1) is False
        assert PeriodicMessage.objects.count() == 1
        connects: list[str] = []
        monkeypatch.setattr(broker, "connect", lambda *args, **kwargs: connects.append("again"))
        assert sender.send(1) is False
        assert connects == [], "it rests"
        monkeypatch.undo()
        monkeypatch.setitem(os.environ, "CELERY_BEAT_BROKER_URL", broker_url)
        sender._rest_until = 0.0
        send(sender)
        assert PeriodicMessage.objects.count() == 0
        assert len(Receiver(broker_url).take("celery")) == 1

    def test_rests_the_longer_the_more_often_it_failed(self, monkeypatch, sender: Post):
        decided()
        monkeypatch.setitem(os.environ, "CELERY_BEAT_BROKER_URL", "redis://127.0.0.1:1/0")
        monkeypatch.setattr(post, "REST_SECONDS_MOST", 0.0)
        for _ in range(9):
            sender._rest_until = 0.0
            sender.send(0.0001)
        assert sender._failures >= 9


class TestRabbitMQ:
    @pytest.fixture
    def receiver(self, rabbitmq, use_broker: Callable[[str], None]):
        use_broker(rabbitmq.url)
        found = Receiver(rabbitmq.url)
        yield found
        found.connection.release()

    def test_a_queue_stays_as_its_workers_have_made_it(self, receiver: Receiver, sender: Post):
        own = Queue(f"own-{uuid4()}", queue_arguments={"x-max-priority": 10})(receiver.connection)
        own.queue_declare()
        decided(queue=own.name)
        send(sender)
        assert own.get(no_ack=True, accept=["json"]).headers["task"] == "shop.tick"
        own.delete()

    def test_what_is_refused_for_good_blocks_nothing(self, receiver: Receiver, sender: Post, caplog):
        name = f"celery-{uuid4()}"
        decided(exchange=f"nowhere-{uuid4()}", routing_key="x")
        decided(queue=name)
        send(sender)
        assert "no exchange" in caplog.text
        assert len(receiver.take(name)) == 1
        assert PeriodicMessage.objects.count() == 0

    @pytest.mark.parametrize("damage", [{"queue": "ü" * 200}, {"headers": {"big": 10**30}}, {"queue": "full"}])
    def test_nor_does_what_no_message_can_be(self, damage: dict[str, Any], receiver: Receiver, sender: Post, caplog):
        arguments = {"x-max-length": 0, "x-overflow": "reject-publish"}
        full = Queue("full", queue_arguments=arguments)(receiver.connection)
        full.queue_declare()
        name = f"celery-{uuid4()}"
        decided(**{"queue": name} | damage)
        decided(queue=name)
        send(sender)
        full.delete()
        assert "periodic_message_refused" in caplog.text
        assert len(receiver.take(name)) == 1
        assert PeriodicMessage.objects.count() == 0
