"""What things are called in the server."""

from bisect import bisect
from collections.abc import Sequence
from typing import Any

PRIORITY_STEPS = (0, 3, 6, 9)

_FRONT = "front"


class Names:
    """Keys and topics under one prefix. They differ from those of kombu's lists, so both may share a database."""

    def __init__(self, options: dict[str, Any], database: int) -> None:
        self.prefix: str = options.get("global_keyprefix", "")
        self.steps: Sequence[int] = sorted(options.get("priority_steps", PRIORITY_STEPS))
        fanout = options.get("fanout_prefix", True)
        topics = fanout if isinstance(fanout, str) else "/{db}.stream." if fanout else ""
        self._topics = self.prefix + topics.format(db=database)
        self._patterns: bool = options.get("fanout_patterns", True)

    def stream(self, queue: str, priority: int) -> str:
        """The stream for messages of this priority."""
        return self._stream(queue, self.steps[max(bisect(self.steps, priority) - 1, 0)])

    def front(self, queue: str) -> str:
        """The stream of what was given back; it is read first."""
        return self._stream(queue, _FRONT)

    def streams(self, queue: str) -> list[str]:
        """All streams of a queue, in the order to read them."""
        return [self.front(queue), *(self._stream(queue, step) for step in self.steps)]

    def bindings(self, exchange: str) -> str:
        """The sorted set of the exchange's bindings; a binding's score is the time at which it ends."""
        return f"{self.prefix}_kombu.stream.binding.{exchange}"

    def topic(self, exchange: str, routing_key: str) -> str:
        """Where a fanout exchange publishes."""
        if routing_key and self._patterns:
            return f"{self._topics}{exchange}/{routing_key}"
        return f"{self._topics}{exchange}"

    def _stream(self, queue: str, step: int | str) -> str:
        return f"{self.prefix}_kombu.stream.{queue}:{step}"
