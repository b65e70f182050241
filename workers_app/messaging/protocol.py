"""What dispatcher and workers say to each other.

Every message is only a hint: any may be lost, doubled, reordered or late. `(run, attempt)` is an
attempt's identity and fencing token; `boot` is one incarnation of a worker.
New fields are added at the end, with a default, so that versions can be mixed while upgrading.
"""

from typing import Any, ClassVar
from uuid import UUID

import msgspec

INBOX = "scheduler.inbox"
"""The one queue all dispatchers share: reports and heartbeats."""
HINTS = "scheduler.hints"
"""The fanout exchange that reaches every dispatcher; what nobody hears is gone, which is right for a hint."""


def worker_queue(boot: UUID) -> str:
    """The queue of one incarnation: what was sent to a dead one can never reach its successor."""
    return f"scheduler.worker.{boot}"


class Message(msgspec.Struct, frozen=True, array_like=True):
    """Base of all messages."""

    fresh_seconds: ClassVar[float] = 10.0
    """Older than that it is not believed any more; the database will have put right what it wanted to say."""


class AttemptKey(msgspec.Struct, frozen=True, array_like=True):
    """The identity of an attempt."""

    run: UUID
    attempt: int


class Hint(Message, frozen=True, tag="hint"):
    """Web → dispatchers: something may be pending, or planned anew."""


# Dispatcher → worker


class Assignment(msgspec.Struct, frozen=True, array_like=True):
    """Start this attempt."""

    key: AttemptKey
    task: str
    executor: str
    command: str
    config: dict[str, Any]
    params: dict[str, Any]
    scheduled_for: str
    timeout: float | None


class Assignments(Message, frozen=True, tag="assignments"):
    """Start these attempts."""

    items: list[Assignment]


class Lease(Message, frozen=True, tag="lease"):
    """The answer to heartbeat `seq`: from when that was sent, act for `seconds`; 0 means this incarnation is over."""

    seq: int
    seconds: float
    cancel: list[AttemptKey]
    """Held attempts that should not run (any more)."""
    unknown: list[AttemptKey]
    """Attempts the database takes as yours though you do not hold them: report them, or give them back."""
    now: float = 0.0
    """The database's time when this was written, in seconds since 1970."""


class Ask(Message, frozen=True, tag="ask"):
    """Attempts that should have reached you by now: those you do not hold, report or give back."""

    keys: list[AttemptKey]


class Cancel(Message, frozen=True, tag="cancel"):
    """End these attempts if you hold them."""

    keys: list[AttemptKey]


class Echo(Message, frozen=True, tag="echo"):
    """Worker → itself: does what is meant for me reach me?"""


# Worker → dispatcher


class Started(Message, frozen=True, tag="started"):
    """The attempt runs, since `ago` seconds."""

    key: AttemptKey
    ago: float = 0.0


class Output(Message, frozen=True, tag="output"):
    """A piece of output, numbered from 0 in its attempt."""

    key: AttemptKey
    piece: int
    text: str


class Finished(Message, frozen=True, tag="finished"):
    """The attempt ended, after `seconds`. `reason` is empty on success, else error, timeout or cancelled."""

    key: AttemptKey
    reason: str
    exit_code: int | None = None
    result: Any = None
    error: str = ""
    seconds: float | None = None


class Returned(Message, frozen=True, tag="returned"):
    """Will never run here (any more): not started, or handed back."""

    key: AttemptKey
    reason: str
    begun: bool = False
    """It has run here for a while, or may have."""


Report = Started | Output | Finished | Returned


class Reports(Message, frozen=True, tag="reports"):
    """A batch, in the order in which things happened. Still true when the dispatchers were away for days."""

    fresh_seconds: ClassVar[float] = 7 * 86_400.0

    boot: UUID
    items: list[Report]


class Heartbeat(Message, frozen=True, tag="heartbeat"):
    """I am alive, and these attempts are mine. A `seq` not above the last one recorded is late and ignored."""

    boot: UUID
    seq: int
    name: str
    hostname: str
    pid: int
    labels: dict[str, str]
    executors: list[str]
    max_tasks: int
    holds: list[AttemptKey]
    state: str = "online"
    """online; draining: takes nothing new; offline: has ended, holds nothing."""
    after: UUID | None = None
    """The incarnation before this one, whose lease ended: this process has ended all it ran under it."""
    cpu_percent: float | None = None
    memory_percent: float | None = None
    """How much of the worker's machine is in use."""
    namespaces: list[str] = []
    """Whose runs it takes; none: those of all."""


# Not ours


class Foreign(Message, frozen=True, tag="celery"):
    """What Celery sends of its own: events, remote control. Dated by the clock of the machine that sent it."""

    fresh_seconds: ClassVar[float] = 300.0

    body: Any


ToWorker = Assignments | Lease | Ask | Cancel | Echo
ToDispatcher = Reports | Heartbeat | Hint
