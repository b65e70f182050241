"""Circuit breakers: when a target that fails is left alone, and when it is tried again. Pure rules over values.

The pattern is Michael Nygard's ("Release It!", 2007). A circuit is *closed* while all is well. So many failures in a
row open it, and while it is *open* nothing passes. After a while one attempt passes, the probe; until that has ended
the circuit is *half open*. A probe that succeeds closes it; one that fails opens it again, for twice as long.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
LONGEST_SECONDS = 600.0
"""It is open for no longer at a time, unless its own limit is longer."""
HOST_CHARS = 253
"""No host name is longer."""

Attempt = tuple[UUID, int]
"""Run and attempt."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a circuit opens, and for how long."""

    failures: int
    """So many in a row."""
    seconds: float
    """From its opening to its first probe."""


@dataclass(frozen=True, slots=True)
class State:
    """A circuit at one moment."""

    state: str = CLOSED
    failures: int = 0
    """In a row."""
    trips: int = 0
    """Openings in a row: the first, and one for each probe that failed."""
    opened_at: datetime | None = None
    """When it went from closed to open last."""
    retry_at: datetime | None = None
    """A probe may pass from then on; None while it is closed."""
    probe_id: UUID | None = None
    probe_attempt: int | None = None

    @property
    def probe(self) -> Attempt | None:
        """The attempt that is the probe, while the circuit is half open."""
        if self.probe_id is None or self.probe_attempt is None:
            return None
        return self.probe_id, self.probe_attempt


def succeeded(before: State) -> State:
    """Any success says that the target is well, also that of an attempt which had begun before the circuit opened."""
    return State(opened_at=before.opened_at)


def failed(before: State, attempt: Attempt, limits: Limits, now: datetime) -> State:
    """`attempt` failed. While the circuit is not closed, only the probe's failure says anything new."""
    failures = before.failures + 1
    if before.state == CLOSED and failures >= limits.failures:
        return _opened(now, failures, 1, limits, now)
    if before.state == HALF_OPEN and before.probe == attempt:
        return _opened(before.opened_at, failures, before.trips + 1, limits, now)
    return replace(before, failures=failures)


def may_probe(circuit: State, now: datetime) -> bool:
    """Whether an attempt may pass now, as the probe."""
    return circuit.state == OPEN and (circuit.retry_at is None or circuit.retry_at <= now)


def probing(before: State, attempt: Attempt) -> State:
    """`attempt` passes, and nothing else until it has ended."""
    return replace(before, state=HALF_OPEN, probe_id=attempt[0], probe_attempt=attempt[1])


def probe_lost(before: State) -> State:
    """The probe will never tell (cancelled, handed back, lost): another may pass at once."""
    return replace(before, state=OPEN, probe_id=None, probe_attempt=None)


def wait(trips: int, seconds: float) -> float:
    """Seconds from the opening number `trips` (≥ 1) in a row to the next probe."""
    return min(seconds * 2.0 ** min(trips - 1, 30), max(seconds, LONGEST_SECONDS))


def _opened(opened_at: datetime | None, failures: int, trips: int, limits: Limits, now: datetime) -> State:
    retry_at = now + timedelta(seconds=wait(trips, limits.seconds))
    return State(OPEN, failures, trips, opened_at, retry_at)


def host(executor: str, command: str) -> str | None:
    """The target of a task that is not the task itself: of an http call the host and port, `host:example.com:443`."""
    if executor != "http":
        return None
    try:
        parts = urlsplit(command)
        name, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if not 0 < len(name) <= HOST_CHARS:
        return None
    shown = f"[{name}]" if ":" in name else name
    return f"host:{shown}:{port or (443 if parts.scheme == 'https' else 80)}"


def task(pk: int) -> str:
    """The target that a task itself is."""
    return f"task:{pk}"


def worker(name: str) -> str:
    """The target that a worker is."""
    return f"worker:{name}"


def is_worker(target: str) -> bool:
    return target.startswith("worker:")
