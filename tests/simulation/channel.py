"""A broker that loses, doubles and reorders what it is given."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from workers_app.messaging.protocol import INBOX
from workers_app.messaging.sealing import CONTENT_TYPE
from workers_app.messaging.sender import Sender


@dataclass
class Delivery:
    """A message as kombu hands it out."""

    body: bytes
    ack: Callable[[], None] = lambda: None
    errors: Any = None
    content_type: str = CONTENT_TYPE


class Channel:
    """Boxes of sealed messages, one for each queue. To `Sender` it is kombu's producer, to `Mail` a connection."""

    def __init__(self, listeners: list[str]) -> None:
        self.boxes: dict[str, list[bytes]] = {INBOX: [], **{name: [] for name in listeners}}
        self._listeners = listeners
        self._held: list[tuple[str, bytes]] = []
        self._slow = False
        self.confirming = True
        self.confirming_workers = True
        self.default_channel = self

    def publish(self, sealed: bytes, routing_key: str = "", **_: Any) -> None:
        """Into one box, or into those of all who listen to the exchange."""
        for name in [routing_key] if routing_key else self._listeners:
            if self._slow:
                self.hold(name, [sealed])
            else:
                self.boxes.setdefault(name, []).append(sealed)

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def queue_delete(self, name: str) -> None:
        self.boxes.pop(name, None)

    def take(self, name: str, most: int, last_first: bool = False) -> list[bytes]:
        """At most so many messages out of a box, from its front or its back."""
        box = self.boxes.get(name, [])
        taken = [box.pop(-1 if last_first else 0) for _ in range(min(most, len(box)))]
        if not box and name not in (INBOX, *self._listeners):
            self.boxes.pop(name, None)
        return taken

    def give_back(self, name: str, messages: list[bytes]) -> None:
        """What was not confirmed is in its box again."""
        self.boxes.setdefault(name, [])[:0] = messages

    @property
    def places(self) -> list[tuple[str, int]]:
        """Where each message lies."""
        return [(name, at) for name, box in self.boxes.items() for at in range(len(box))]

    def lose(self, which: int) -> None:
        name, at = self.places[which % len(self.places)]
        del self.boxes[name][at]

    def double(self, which: int) -> None:
        name, at = self.places[which % len(self.places)]
        self.boxes[name].append(self.boxes[name][at])

    def hold(self, name: str, messages: list[bytes]) -> None:
        """They are on their way for long."""
        self._held += [(name, sealed) for sealed in messages]

    @contextmanager
    def slow(self, slow: bool = True) -> Iterator[None]:
        """What is sent within is on its way for long."""
        before, self._slow = self._slow, self._slow or slow
        try:
            yield
        finally:
            self._slow = before

    def release(self) -> None:
        """What was on its way for long comes in."""
        held, self._held = self._held, []
        for name, sealed in held:
            self.boxes.setdefault(name, []).append(sealed)

    def wipe(self) -> None:
        """Lose all."""
        for box in self.boxes.values():
            box.clear()


class Line:
    """What lies between one worker and the broker; while it is cut, what is sent on it comes late."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.cut = False

    def publish(self, sealed: bytes, **options: Any) -> None:
        with self.channel.slow(self.cut):
            self.channel.publish(sealed, **options)

    @property
    def confirming(self) -> bool:
        return self.channel.confirming_workers and not self.cut


class Post(Sender):
    """The real sender on such a channel; what it sends while nothing is confirmed, it never hears of again."""

    def __init__(self, channel: Channel | Line) -> None:
        self._producer = self._channel = channel
        self._sent = 0
        self._open = {}

    @property
    def _confirms(self) -> bool:
        return not self._channel.confirming
