"""What runs take of counted things, so that all dispatchers together never give out more than there is.

Whoever gives out what a key stands for holds its lock until the commit, so that two do not count the same room. Locks
are tried, never waited for: where another dispatcher decides on a key, or stands still while it does, runs that need
it wait, and no others.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from tasks_app.clock import database_now
from tasks_app.gates import Need
from tasks_app.gates.need import ATTEMPT, ONCE, RUN, WINDOW
from tasks_app.models import ACTIVE, FINAL, Permit, TaskRun
from tasks_app.sql import claimed, insert

BUCKETS = 1024
"""Keys that fall into one share a lock."""
_LOCKS = 0x7461736B
"""Of PostgreSQL's advisory locks those of this class are ours."""
AT_ONCE = 10
"""Starts of one rate in one pass: the more are given out together, the later some of them start, and a window counts
from when they were given out."""
RELEASED = 2000
"""Permits in one pass."""


class Permits:
    """What the runs of one pass may take; made and used inside its transaction."""

    def __init__(self, now: datetime, *, locking: bool = True) -> None:
        """Without `locking` it is only a guess, for whoever gives nothing out."""
        self._now = now
        self._locking = locking
        self._needs: dict[UUID, list[Need]] = {}
        self._asked: set[str] = set()
        self._mine: set[str] = set()
        self._used: Counter[str] = Counter()
        self._own: set[tuple[UUID, str]] = set()
        self._given: list[Permit] = []
        self._together: Counter[str] = Counter()

    def consider(self, wishes: Iterable[tuple[TaskRun, list[Need]]]) -> None:
        """Find out how much there is of what these runs need."""
        wanting = [(run, needs) for run, needs in wishes if needs]
        self._needs |= {run.pk: needs for run, needs in wanting}
        counted = [need for _, needs in wanting for need in needs if need.counted and need.key not in self._asked]
        keys = {need.key for need in counted}
        self._asked |= keys
        mine = locked(keys) if self._locking else keys
        self._mine |= mine
        if any(need.lasts in (WINDOW, ONCE) for need in counted):
            self._now = database_now()  # a turn may have gone on for long, and a window counts from the start
        self._used += taken(mine, self._now)
        keeping = [run for run, needs in wanting if any(need.lasts in (RUN, ONCE) for need in needs)]
        again = [run.pk for run in keeping if run.attempt > 1]
        self._own |= set(_kept(again).values_list("run_id", "key")) if again else set()

    def shut(self, run: TaskRun) -> Need | None:
        """The first of its needs that cannot be met, if any."""
        for need in self._needs.get(run.pk, ()):
            if need.counted and need.key not in self._mine:
                return None
            if (run.pk, need.key) not in self._own and self._used[need.key] + need.takes > need.most:
                return need
        return None

    def busy(self, run: TaskRun) -> bool:
        """One should look again: another dispatcher decides on something it needs, or enough has started at once."""
        return any(
            need.counted and (need.key not in self._mine or self._together[need.key] >= AT_ONCE)
            for need in self._needs.get(run.pk, ())
        )

    def room(self, need: Need) -> int:
        """How much is left of what `need` asks for."""
        return need.most - self._used[need.key]

    def take(self, run: TaskRun) -> None:
        """All the run needs is its own now."""
        for need in self._needs.get(run.pk, ()):
            if (run.pk, need.key) in self._own:
                continue
            self._used[need.key] += need.takes
            self._together[need.key] += need.lasts == WINDOW
            if need.counted:
                self._given.append(self._permit(run, need))

    def _permit(self, run: TaskRun, need: Need) -> Permit:
        return Permit(
            key=need.key,
            run_id=run.pk,
            attempt=run.attempt if need.lasts == ATTEMPT else None,
            takes=need.takes,
            given_at=self._now,
            until=self._now + timedelta(seconds=need.seconds) if need.lasts in (WINDOW, ONCE) else None,
        )

    def store(self, moved: set[UUID]) -> None:
        """Keep what those runs have taken that really were assigned."""
        insert([permit for permit in self._given if permit.run_id in moved])


def locked(keys: Iterable[str]) -> set[str]:
    """Those of `keys` that nobody else decides on; until the commit nobody will. SQLite has one writer anyway."""
    by_key = {key: zlib.crc32(key.encode()) % BUCKETS for key in keys}
    if not by_key or connection.vendor != "postgresql":
        return set(by_key)
    with connection.cursor() as cursor:
        statement = "SELECT bucket FROM unnest(%s::int[]) AS bucket WHERE pg_try_advisory_xact_lock(%s, bucket)"
        cursor.execute(statement, [sorted(set(by_key.values())), _LOCKS])
        mine = {bucket for (bucket,) in cursor.fetchall()}
    return {key for key, bucket in by_key.items() if bucket in mine}


def taken(keys: Iterable[str], now: datetime) -> Counter[str]:
    """How much of each key is taken."""
    wanted = list(keys)
    if not wanted:
        return Counter()
    valid = Permit.objects.filter(Q(until=None) | Q(until__gt=now), key__in=wanted)
    return Counter(dict(valid.order_by().values_list("key").annotate(Sum("takes"))))


def release(now: datetime) -> Counter[str]:
    """Take back what has ended; return how much of each key became free."""
    run = TaskRun.objects.filter(pk=OuterRef("run_id"))
    held = run.filter(Q(status__in=ACTIVE), attempt=OuterRef("attempt"))
    kept = run.exclude(status__in=FINAL)
    over = Q(attempt=None) & ~Exists(kept) | Q(attempt__isnull=False) & ~Exists(held)
    ended = [
        *claimed(Permit.objects.filter(until__lte=now))[:RELEASED],
        *claimed(Permit.objects.filter(over, until=None))[:RELEASED],
    ]
    if ended:
        Permit.objects.filter(pk__in=[permit.pk for permit in ended]).delete()
    freed: Counter[str] = Counter()
    for permit in ended:
        freed[permit.key] += permit.takes
    return freed


def _kept(runs: Iterable[UUID]) -> QuerySet[Permit]:
    """What runs have taken by an earlier attempt and not given back, but for starts of which each counts."""
    return Permit.objects.filter(run_id__in=list(runs), attempt=None).exclude(key__startswith="rate:")
