"""The half of a channel that consumes: prefetch, delivery, acknowledgement, and giving back."""

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from kombu import message
from redis.exceptions import RedisError

from workers_app.messaging.redis_streams import scripts
from workers_app.messaging.redis_streams.envelope import unpack
from workers_app.messaging.redis_streams.ledger import Entry, Ledger, confirmations
from workers_app.messaging.redis_streams.publishing import PublishingChannel
from workers_app.messaging.redis_streams.reader import Reader
from workers_app.messaging.redis_streams.scripts import Command
from workers_app.messaging.redis_streams.subscription import Subscription

logger = logging.getLogger(__name__)


class Consumer(NamedTuple):
    """Who takes the messages of a queue."""

    queue: str
    no_ack: bool
    callback: Callable[[message.Message], Any]


class QoS:
    """How many messages the channel may hold."""

    def __init__(self, channel: "Channel") -> None:
        self.prefetch_count = 0
        self._held = channel.ledger.held

    def can_consume(self) -> bool:
        """Whether another message may be taken. Celery replaces this method to switch prefetching off."""
        return not self.prefetch_count or len(self._held) < self.prefetch_count

    def room(self, batch: int) -> int:
        """How many messages may be taken at once."""
        if not self.can_consume():
            return 0
        if "can_consume" in vars(self):
            return 1
        return min(self.prefetch_count - len(self._held), batch) if self.prefetch_count else batch


class Channel(PublishingChannel):
    """A consumer of its own in each group: what it holds is given back when it closes."""

    Message = message.Message

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.closed = False
        self.name = _unique_name()
        self.ledger = Ledger()
        self._qos = QoS(self)
        self._buffer: deque[Entry] = deque()
        self._by_tag: dict[str, Consumer] = {}
        self._by_queue: dict[str, Consumer] = {}
        self._joined: set[str] = set()
        # The keeper's thread must not confirm or refresh while this one gives back and leaves.
        self._guard = threading.RLock()
        self._reader = Reader(self)
        self._subscription = Subscription(self)

    @property
    def client(self) -> Any:
        """A plain redis-py client, for tools that look into the server."""
        return self.connection.redis

    # Consuming

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        """Deliver messages of `queue` to `callback`; of several consumers of one queue the newest gets them."""
        self._by_tag[consumer_tag] = self._by_queue[queue] = Consumer(queue, no_ack, callback)
        if queue in self.queues.fanout:
            self._subscription.add(queue, self.names.topic(*self.queues.fanout[queue]))
        else:
            self._reader.settle()
            self._join(queue)
        self.connection.wake()

    def basic_cancel(self, consumer_tag: str) -> None:
        """Deliver no more to this consumer; what it holds stays with it."""
        if consumer_tag not in self._by_tag:
            return
        queue = self._by_tag.pop(consumer_tag).queue
        others = [other for other in self._by_tag.values() if other.queue == queue]
        if others:
            self._by_queue[queue] = others[-1]
            return
        if queue in self.queues.fanout:
            self._subscription.remove(queue)
        else:
            self._reader.settle()
        del self._by_queue[queue]
        waiting = [entry for entry in self._buffer if entry.queue == queue]
        self._buffer = deque(entry for entry in self._buffer if entry.queue != queue)
        self._give_back(waiting)
        if queue in self._joined:
            self._leave([queue])
        self.connection.wake()

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:
        """Hold at most `prefetch_count` messages; 0 is any number."""
        self._qos.prefetch_count = prefetch_count
        self.connection.wake()

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> message.Message | None:
        """One message, if there is one."""
        self._join(queue)
        streams = self.names.streams(queue)
        flags = ("n" if no_ack else "a") * len(streams)
        while reply := self.link.one(scripts.READ(streams, self.name, flags, 1, 1, 0, 0)):
            index, again, id_, payload = reply[0]
            found = self._message(Entry(queue, streams[index - 1], id_, payload, bool(again)), no_ack)
            if found is not None:
                return found
        return None

    def room(self) -> int:
        """How many messages may be read now: none as long as there are some that were not delivered."""
        return 0 if self._buffer else self._qos.room(self.connection.batch)

    def readable(self, room: int) -> list[tuple[str, str]]:
        """The queues to read, each with `n` for no ack or `a`; without room only those that need none."""
        if self._buffer:
            return []
        return [
            (queue, "n" if consumer.no_ack else "a")
            for queue, consumer in self._by_queue.items()
            if queue not in self.queues.fanout and (room or consumer.no_ack)
        ]

    # Delivering

    def pump(self) -> None:
        """Ask for more where there is room; raises when the server does not answer."""
        self._reader.pump()
        self._subscription.pump()

    def arrived(self, entries: list[Entry], blocking: bool) -> None:
        """Messages have come. A blocking read knows neither no_ack nor, with several streams, an exact limit."""
        self._buffer.extend(entries)
        if blocking and entries:
            needed = [entry for entry in entries if not self._needs_no_ack(entry)]
            self.ledger.acknowledge(*(entry for entry in entries if self._needs_no_ack(entry)))
            surplus = needed[max(self._qos.prefetch_count - len(self.ledger.held), 0) :]
            if self._qos.prefetch_count and surplus:
                self._buffer = deque(entry for entry in self._buffer if entry not in surplus)
                self._give_back(surplus)

    def _needs_no_ack(self, entry: Entry) -> bool:
        consumer = self._by_queue.get(entry.queue)
        return consumer is not None and consumer.no_ack

    def deliver(self) -> bool:
        """Hand over the next message that has come; say whether there was one."""
        while self._buffer:
            entry = self._buffer.popleft()
            consumer = self._by_queue.get(entry.queue)
            if consumer is not None and (found := self._message(entry, consumer.no_ack)) is not None:
                consumer.callback(found)
                return True
        return False

    def _message(self, entry: Entry, no_ack: bool) -> message.Message | None:
        """The message, or None where it is too old or not one of ours: then it is removed."""
        try:
            envelope = unpack(entry.payload)
        except ValueError:
            logger.warning("Dropped what is not a message from %s: %.200r", entry.queue, entry.payload)
            envelope = None
        if envelope is None or (envelope.expires is not None and envelope.expires < time.time()):
            self._acknowledge([] if no_ack else [entry])
            return None
        info: dict[str, Any] = {"exchange": envelope.exchange, "routing_key": envelope.routing_key}
        if entry.again or entry.stream == self.names.front(entry.queue):
            info["redelivered"] = True
        envelope.properties["delivery_info"] = info
        return message.Message(
            body=envelope.body,
            delivery_tag=0 if no_ack else self.ledger.hold(entry),
            content_type=envelope.content_type,
            content_encoding=envelope.content_encoding,
            delivery_info=info,
            properties=envelope.properties,
            headers=envelope.headers,
            channel=self,
        )

    def message_to_python(self, raw_message: message.Message) -> message.Message:
        """Messages are made once."""
        return raw_message

    # Acknowledging

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """The message is done with. The server hears of it soon, together with others; any thread may call this."""
        self._check_open()
        self._acknowledge(self.ledger.release(delivery_tag, multiple))

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        """Remove the message, or give it back."""
        self._check_open()
        entries = self.ledger.release(delivery_tag)
        if requeue:
            self._give_back(entries)
            self.connection.wake()
        else:
            self._acknowledge(entries)

    def basic_recover(self, requeue: bool = False) -> None:
        """Give back all that was not acknowledged."""
        if not requeue:
            raise NotImplementedError("Does not support recover(requeue=False)")
        entries = [entry for tag in list(self.ledger.held) for entry in self.ledger.release(tag)]
        self._give_back(entries)

    def flush(self) -> None:
        """Tell the server now what was acknowledged."""
        with self._guard:
            entries = self.ledger.take()
            try:
                self.link.call(*confirmations(entries))
            except BaseException:
                self.ledger.acknowledge(*entries)
                raise

    def _acknowledge(self, entries: list[Entry]) -> None:
        self.ledger.acknowledge(*entries)
        transport = self.connection
        transport.keeper.stir()
        if threading.get_ident() != transport.thread:
            transport.wake()

    def _check_open(self) -> None:
        if self.closed:
            raise ConnectionError("The channel is closed, and the message was given back.")

    # Giving back

    def _give_back(self, entries: list[Entry]) -> None:
        """Put messages where they are read first, by this consumer or another."""
        by_stream: dict[tuple[str, str], list[bytes]] = {}
        for entry in entries:
            if entry.stream is not None:
                by_stream.setdefault((entry.stream, self.names.front(entry.queue)), []).append(entry.id)
            elif entry.queue in self._by_queue:
                self._buffer.append(entry._replace(again=True))
        if by_stream:
            self.link.call(*(scripts.RELEASE([*keys], self.name, *ids) for keys, ids in by_stream.items()))

    def _join(self, queue: str) -> None:
        if queue not in self._joined:
            self.link.call(scripts.JOIN(self.names.streams(queue), self.name), *self.renewals(queue))
            self._joined.add(queue)
            self.connection.keeper.start()

    def _leave(self, queues: list[str]) -> None:
        with self._guard:
            doomed = self.queues.auto_delete
            streams = self.names.streams
            commands = [scripts.LEAVE(streams(queue), self.name, int(queue in doomed)) for queue in queues]
            for queue, (clean, deleted) in zip(queues, self.link.call(*commands), strict=True):
                if clean:
                    self._joined.discard(queue)
                if deleted and queue in doomed:
                    self.forget(queue)

    def refresh(self) -> None:
        """Tell the server that this consumer lives, and keep its queues and their bindings."""
        with self._guard:
            queues = list(self._joined)
            streams = [stream for queue in queues for stream in self.names.streams(queue)]
            if streams:
                kept = [command for queue in queues for command in self.renewals(queue) + self.bind_commands(queue)]
                self.link.call(scripts.REFRESH(streams, self.name), *kept)

    # Closing

    def hang_up(self) -> None:
        """Nothing more is read on connections that were lost."""
        self._reader.close()
        self._subscription.close()

    def close(self) -> None:
        """Give back all that was not acknowledged, and leave nothing behind."""
        if self.closed:
            return
        self.closed = True
        try:
            self._hand_over()
        except (RedisError, OSError) as error:
            logger.info("Could not give back messages; others will claim them: %s", error)
        finally:
            self._reader.close()
            self._subscription.close()
            self.connection.close_channel(self)

    def _hand_over(self) -> None:
        self.link.doubt()
        with suppress(RedisError, OSError):  # What came on a connection that is lost is given back as well.
            self._reader.settle()
        self._reader.close()
        self._forget_all()
        with self._guard:
            self.flush()
            queues = list(self._joined)
            if queues:
                self.link.call(*(command for queue in queues for command in self._release_all(queue)))
                self._leave(queues)

    def _release_all(self, queue: str) -> list[Command]:
        streams = self.names.streams(queue)
        return [scripts.RELEASE([stream, streams[0]], self.name) for stream in streams]

    def _forget_all(self) -> None:
        self._by_tag.clear()
        self._by_queue.clear()
        self._buffer.clear()
        self.ledger.held.clear()

    def after_fork(self) -> None:
        """In a child: what the parent holds is the parent's."""
        self._reader.close()
        self._subscription.close()
        self._forget_all()
        self._joined.clear()
        self.name, self.ledger, self._guard = _unique_name(), Ledger(), threading.RLock()
        self._qos = QoS(self)


def _unique_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:12]}"
