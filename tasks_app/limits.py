"""How many runs people may make: pending ones in all and in each namespace, and triggers a minute in each namespace.

Runs that schedules make are limited by nothing: every nominal time becomes a run.
"""

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from workers_app.bucket import Bucket
from workers_app.events import note_often

REMEMBERED_SECONDS = 1.0
"""So long a process believes what it has counted; what it makes itself in the meantime, it counts along."""
FRESH_SECONDS = 0.05
"""Before it refuses for what is pending, it counts again if what it knows is older than this."""
COST = 20
"""Counting takes a process no more than a twentieth of its time, however much is pending."""
LEAST_BURST = 10
PENDING_RETRY_SECONDS = 5

# In all they are counted in an index alone. For namespaces each pending run must be looked at, which is left out where
# none has a limit; by task first, as that needs no other rows, whatever else there is.
_COUNT = """
    WITH by_task AS (
        SELECT task_id, COUNT(*) AS number FROM tasks_app_taskrun
        WHERE status = 'pending' AND EXISTS (SELECT 1 FROM access_app_namespace WHERE max_pending IS NOT NULL)
        GROUP BY task_id
    ), by_namespace AS (
        SELECT task.namespace_id, SUM(by_task.number) AS number
        FROM by_task JOIN tasks_app_task AS task ON task.id = by_task.task_id GROUP BY task.namespace_id
    )
    SELECT
        (SELECT COUNT(*) FROM tasks_app_taskrun WHERE status = 'pending'),
        namespace.id, namespace.name, max_pending, max_triggers_per_minute, COALESCE(by_namespace.number, 0)
    FROM access_app_namespace AS namespace LEFT JOIN by_namespace ON by_namespace.namespace_id = namespace.id
"""


@dataclass(slots=True)
class Room:
    """A namespace: its limits, and how many of its runs are pending (where that is limited)."""

    name: str
    max_pending: int | None
    per_minute: int | None
    pending: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why runs may not be made now, for whoever wanted them."""

    kind: str
    message: str
    retry_after: int
    """In seconds."""


class Limits:
    """What one process knows of the limits, and of what there is already."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._rooms: dict[int, Room] = {}
        self._buckets: dict[int, Bucket] = {}
        self._total = 0
        self._at = 0.0
        self._took = 0.0

    def take(self, wanted: Mapping[int, int]) -> Refusal | None:
        """Count runs (how many, by namespace) as made; or say why they must not be, and count none of them."""
        if wanted.keys() - self._rooms.keys():
            self._learn(wanted)
        else:
            self._look(REMEMBERED_SECONDS)
        refusal = self._try(wanted)
        if refusal and refusal.kind != "limit_rate" and self._look(FRESH_SECONDS):
            refusal = self._try(wanted)
        return refusal

    def _learn(self, wanted: Mapping[int, int]) -> None:
        """Count at once: there is a namespace of which nothing is known."""
        with self._counting:
            if wanted.keys() - self._rooms.keys():
                self._count()

    def _look(self, age: float) -> bool:
        """Count again if what is known is older than `age` seconds, and nobody else does; True if it was done."""
        if time.monotonic() - self._at < max(age, COST * self._took) or not self._counting.acquire(blocking=False):
            return False
        try:
            self._count()
        finally:
            self._counting.release()
        return True

    def _count(self) -> None:
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(_COUNT)
            rows = cursor.fetchall()
        with self._lock:
            self._rooms = {pk: Room(name, most, rate, int(number)) for _, pk, name, most, rate, number in rows}
            self._total = rows[0][0] if rows else 0
            self._at = time.monotonic()
            # It grows by steps, so that one stutter of the machine does not keep old knowledge alive.
            self._took = min(self._at - began, 2 * self._took + 0.01)

    def _try(self, wanted: Mapping[int, int]) -> Refusal | None:
        now = time.monotonic()
        with self._lock:
            refusal = self._refusal(wanted, now)
            if refusal is None:
                for namespace, number in wanted.items():
                    self._buckets[namespace].tokens -= number
                    self._total += number
                    if room := self._rooms.get(namespace):
                        room.pending += number
        return refusal

    def _refusal(self, wanted: Mapping[int, int], now: float) -> Refusal | None:
        most = settings.MAX_PENDING
        if self._total + sum(wanted.values()) > most:
            said = f"At most {most:,} runs may be pending in all (MAX_PENDING); {self._total:,} are."
            return Refusal("limit_pending", said, PENDING_RETRY_SECONDS)
        for namespace, number in wanted.items():
            bucket = self._buckets.setdefault(namespace, Bucket())
            room = self._rooms.get(namespace)
            if room and (refusal := _of_room(room, bucket, number, now)):
                return refusal
        return None


def _of_room(room: Room, bucket: Bucket, wanted: int, now: float) -> Refusal | None:
    """Why the namespace may not have `wanted` more runs, if so."""
    name = f"The namespace “{room.name}”"
    if room.max_pending is not None and room.pending + wanted > room.max_pending:
        said = f"{name} may have at most {room.max_pending:,} pending runs (max_pending); it has {room.pending:,}."
        return Refusal("limit_namespace_pending", said, PENDING_RETRY_SECONDS)
    if room.per_minute is None:
        return None
    rate = room.per_minute / 60
    wait = bucket.wait(wanted, rate, max(rate, LEAST_BURST), now)
    if wait or wanted > room.per_minute:
        said = f"{name} may trigger at most {room.per_minute:,} runs a minute (max_triggers_per_minute)."
        return Refusal("limit_rate", said, math.ceil(wait) or 60)
    return None


_known = Limits()


def take(wanted: Mapping[int, int]) -> Refusal | None:
    """Count runs (how many, by the namespace's primary key) as made; or say why they must not be: then none is."""
    refusal = _known.take(wanted)
    if refusal:
        note_often(refusal.kind, "%s", refusal.message)
    return refusal
