"""What a channel holds: messages not yet acknowledged, and acknowledgements the server has not heard of."""

import itertools
import threading
from typing import NamedTuple

from workers_app.messaging.redis_streams.scripts import GROUP, Command


class Entry(NamedTuple):
    """A message that the server has given to this consumer; `stream` is None when it came by fanout."""

    queue: str
    stream: str | None
    id: bytes
    payload: bytes
    again: bool


class Ledger:
    """Messages may be acknowledged by any thread."""

    def __init__(self) -> None:
        self.held: dict[int, Entry] = {}
        self.acknowledged: list[Entry] = []
        self.taken = 0
        self._tags = itertools.count(1)
        self._lock = threading.Lock()

    def hold(self, entry: Entry) -> int:
        """Note that a message was delivered; returns its delivery tag."""
        tag = next(self._tags)
        self.held[tag] = entry
        return tag

    def release(self, tag: int, multiple: bool = False) -> list[Entry]:
        """The message is no longer held; with `multiple` nor are those delivered before it."""
        tags = [held for held in list(self.held) if held <= tag] if multiple else [tag]
        return [entry for tag in tags if (entry := self.held.pop(tag, None)) is not None]

    def acknowledge(self, *entries: Entry) -> None:
        """The server shall hear of it, with the next that are taken."""
        with self._lock:
            self.acknowledged += [entry for entry in entries if entry.stream is not None]

    def take(self) -> list[Entry]:
        """What the server shall hear of now; who cannot tell it must `acknowledge` it again."""
        with self._lock:
            entries, self.acknowledged = self.acknowledged, []
            self.taken += 1
        return entries


def confirmations(entries: list[Entry]) -> list[Command]:
    """The commands that remove messages from the server, which may be sent twice.

    Deleting comes first: an entry of which no more than that has happened is cleared away by whoever claims it.
    """
    by_stream: dict[str, list[bytes]] = {}
    for entry in entries:
        by_stream.setdefault(str(entry.stream), []).append(entry.id)
    commands: list[Command] = []
    for stream, ids in by_stream.items():
        commands += [("XDEL", stream, *ids), ("XACK", stream, GROUP, *ids)]
    return commands
