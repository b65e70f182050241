"""What really happens, whatever the database says: every start of a command, and each breach of a promise."""

import logging
from collections import defaultdict
from typing import Protocol
from uuid import UUID

from workers_app.messaging.protocol import AttemptKey


class Started(Protocol):
    """A command that has begun."""

    key: AttemptKey
    once: bool
    outcome: str | None

    @property
    def lives(self) -> bool: ...


class Ledger:
    """The scheduler neither reads nor writes it."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, list[Started]] = defaultdict(list)
        self.breaches: list[str] = []

    def started(self, job: Started, running: int, slots: int) -> None:
        """`job` begins on a worker with so many `slots`, where so many others are `running`."""
        before = self.jobs[job.key.run]
        if any(other.key == job.key for other in before):
            self.breach(f"{job} starts twice")
        if together := [other for other in before if other.lives]:
            self.breach(f"{job} starts while {together} runs")
        if job.once and not all(other.outcome == "error" for other in before):
            self.breach(f"{job} starts though it may start once only: {before}")
        if running >= slots:
            self.breach(f"{job} starts beside {running} others in {slots} slots")
        before.append(job)

    def breach(self, text: str) -> None:
        self.breaches.append(text)

    @property
    def living(self) -> list[Started]:
        """What runs, as far as leases promise anything of it."""
        return [job for jobs in self.jobs.values() for job in jobs if job.lives]

    def succeeded(self, run: UUID, attempt: int) -> bool:
        """Whether that attempt really did."""
        return any(job.key.attempt == attempt and job.outcome == "" for job in self.jobs[run])


class Complaints(logging.Handler):
    """Errors that the code under test catches and logs are breaches too."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.ERROR)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._ledger.breach(f"{record.getMessage()}: {cause!r}")
