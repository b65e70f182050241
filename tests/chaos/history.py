"""What happened in a world under faults, as plain data: written while it happens, judged afterwards by `checker`.

A history is a folder: `ledger.jsonl`, which the runs' own commands write and the scheduler never reads, and
`history.jsonl`, which the test writes: what was asked of the API and what it said, which faults there were.
All times are seconds since 1970 on one steady clock (monotonic, laid on the real time once), whatever the nemesis
does to the clocks of the processes.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

LEDGER, RECORD = "ledger.jsonl", "history.jsonl"


class Line(msgspec.Struct, frozen=True):
    """Base of all lines."""


class Begin(Line, frozen=True, tag="begin"):
    """The first line."""

    seed: int
    offset: float
    """To be added to the machine's monotonic clock."""
    slots: dict[str, int]
    """Worker → how many attempts it may run at the same time."""
    lease_seconds: float


class Plan(Line, frozen=True, tag="plan"):
    """A task. With `every`, it is due at each multiple of so many seconds since 1970 from `first` to `last`."""

    task: str
    every: float | None
    first: float
    last: float
    delivery: Literal["at_least_once", "at_most_once"] = "at_least_once"


class Submission(Line, frozen=True, tag="submission"):
    """One request to trigger a run, and its answer; `status` 0: there was none. Tries share a `key`."""

    key: str
    task: str
    sent: float
    answered: float
    status: int
    run: str | None


class Cancel(Line, frozen=True, tag="cancel"):
    """One request to cancel a run that goes on for ever, and its answer."""

    run: str
    sent: float
    answered: float
    status: int


class Fault(Line, frozen=True, tag="fault"):
    """What the nemesis did, from `begin` until it was healed at `end`."""

    name: str
    text: str
    begin: float
    end: float


class Kill(Line, frozen=True, tag="kill"):
    """A process of ours was killed."""

    role: str
    name: str
    at: float


class Attempt(msgspec.Struct, frozen=True):
    """A try that did not end its run well, as the API shows it."""

    number: int
    worker: str
    reason: str


class Run(Line, frozen=True, tag="run"):
    """A run as the API shows it, at the time `seen`; the last one of each run is from after everything was quiet."""

    id: str
    task: str
    origin: str
    nominal: float
    status: str
    reason: str
    attempt: int
    worker: str
    seen: float
    attempts: list[Attempt] = []


class Started(Line, frozen=True, tag="start"):
    """The ledger: a command has begun."""

    run: str
    attempt: int
    task: str
    nominal: float
    worker: str
    parent: int
    """Process id of what started it."""
    pid: int
    at: float


class Ended(Line, frozen=True, tag="end"):
    """The ledger: a command has done all it had to do."""

    run: str
    attempt: int
    pid: int
    at: float


Recorded = Begin | Plan | Submission | Cancel | Fault | Kill | Run
Ledger = Started | Ended


class History(msgspec.Struct):
    """All lines, by kind."""

    begin: Begin
    plans: list[Plan] = []
    submissions: list[Submission] = []
    cancels: list[Cancel] = []
    faults: list[Fault] = []
    kills: list[Kill] = []
    runs: list[Run] = []
    """Each run as often as it was looked at, in that order."""
    starts: list[Started] = []
    ends: list[Ended] = []

    @property
    def final(self) -> dict[str, Run]:
        """Each run as it was seen last."""
        return {run.id: run for run in self.runs}


def load(folder: Path) -> History:
    """Read a history back; the ledger's times are laid on its clock."""
    record = _lines(folder / RECORD, Recorded)
    ledger = _lines(folder / LEDGER, Ledger)
    begin = next(line for line in record if isinstance(line, Begin))
    moved = [msgspec.structs.replace(line, at=line.at + begin.offset) for line in ledger]

    def of(kind: Any, lines: Iterable[Line]) -> list[Any]:
        return [line for line in lines if isinstance(line, kind)]

    return History(
        begin,
        plans=of(Plan, record),
        submissions=of(Submission, record),
        cancels=of(Cancel, record),
        faults=of(Fault, record),
        kills=of(Kill, record),
        runs=of(Run, record),
        starts=of(Started, moved),
        ends=of(Ended, moved),
    )


def _lines(path: Path, kinds: Any) -> list[Any]:
    """What cannot be read is a piece of a line that was never written whole, and says nothing."""
    if not path.exists():
        return []
    decode = msgspec.json.Decoder(kinds).decode
    found = []
    for line in path.read_bytes().splitlines():
        with suppress(msgspec.DecodeError):
            found.append(decode(line))
    return found


class Recorder:
    """Writes the test's own part of a history; from any thread."""

    def __init__(self, folder: Path, seed: int, slots: dict[str, int], lease_seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger = folder / LEDGER
        self._offset = time.time() - time.monotonic()
        self._file = (folder / RECORD).open("ab", buffering=0)
        self.add(Begin(seed, self._offset, slots, lease_seconds))

    def now(self) -> float:
        """The history's clock."""
        return time.monotonic() + self._offset

    def add(self, *lines: Line) -> None:
        self._file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    def close(self) -> None:
        self._file.close()
