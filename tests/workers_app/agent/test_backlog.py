"""Reports that cannot be told yet."""

from collections import deque
from io import BytesIO
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_app.agent import backlog as module
from workers_app.agent.backlog import Backlog
from workers_app.events import events
from workers_app.messaging.protocol import AttemptKey, Finished, Output, Report

KEY, OTHER = AttemptKey(uuid4(), 1), AttemptKey(uuid4(), 1)
ALL = (1000, 1 << 30)


def output(piece: int, size: int = 100, key: AttemptKey = KEY) -> Output:
    return Output(key, piece, "x" * size)


def drained(backlog: Backlog) -> list[Report]:
    found = []
    while taken := backlog.batch(*ALL):
        found += taken
    return found


@given(
    memory=st.integers(0, 2000),
    steps=st.lists(st.one_of(st.integers(1, 300), st.tuples(st.integers(1, 5), st.booleans())), max_size=60),
)
def test_first_in_first_out_wherever_they_are_kept(memory, steps):
    """A number: a report of that size comes. A pair: a batch is taken, and goes back or not."""
    backlog, model = Backlog(memory), deque()
    for number, step in enumerate(steps):
        if isinstance(step, int):
            backlog.add(output(number, step))
            model.append(number)
        else:
            taken = backlog.batch(step[0], 1000)
            assert [each.piece for each in taken] == [model.popleft() for _ in taken]
            assert taken or not model
            if step[1]:
                backlog.take_back(taken)
                model.extendleft(reversed([each.piece for each in taken]))
        assert len(backlog) == len(model)
    assert [each.piece for each in drained(backlog)] == list(model)


def test_a_batch_is_bounded_in_number_and_size():
    backlog = Backlog()
    for piece in range(10):
        backlog.add(output(piece, 1000))
    assert len(backlog.batch(3, 1 << 20)) == 3
    assert len(backlog.batch(100, 2500)) == 3
    assert len(backlog) == 4


def test_what_finds_no_room_is_output_and_it_is_said_to_be_missing_once():
    backlog = Backlog(memory_bytes=500, disk_bytes=500)
    for piece in range(20):
        backlog.add(output(piece))
    backlog.add(Finished(KEY, "", 0))
    backlog.add(output(0, key=OTHER))
    found = drained(backlog)
    whole = [each.piece for each in found if isinstance(each, Output) and each.text.startswith("x")]
    assert whole == list(range(len(whole)))
    assert 4 < len(whole) < 10
    missing = [each.key for each in found if isinstance(each, Output) and "output is missing" in each.text]
    assert missing == [KEY, OTHER]
    assert Finished(KEY, "", 0) in found


def test_a_full_disk_loses_output_only(monkeypatch: pytest.MonkeyPatch):
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", full)
    before = events["disk_full"]
    backlog = Backlog(memory_bytes=0)
    for number in range(5):
        backlog.add(output(number))
        backlog.add(Finished(AttemptKey(uuid4(), number), "", 0))
    assert sum(isinstance(each, Finished) for each in drained(backlog)) == 5
    assert events["disk_full"] > before


class SmallDisk:
    """A file on a disk that takes some bytes of what is written, and then none, until it has `room`."""

    def __init__(self) -> None:
        self.room = 250
        self._file = BytesIO()
        self.seek, self.read, self.truncate = self._file.seek, self._file.read, self._file.truncate

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = self._file.write(data[: self.room])
        self.room -= taken
        return taken


def test_a_disk_that_takes_half_a_report_spoils_no_other(monkeypatch: pytest.MonkeyPatch):
    disk = SmallDisk()
    monkeypatch.setattr(module.tempfile, "TemporaryFile", lambda **_: disk)
    backlog = Backlog(memory_bytes=0)
    ends = [Finished(AttemptKey(uuid4(), number), "", 0, error="x" * 60) for number in range(8)]
    for end in ends[:5]:
        backlog.add(end)
    disk.room = 10_000
    for end in ends[5:]:
        backlog.add(end)
    assert sorted(drained(backlog), key=lambda end: end.key.attempt) == ends
    backlog.add(output(1))
    assert drained(backlog) == [output(1)]


def test_of_what_is_over_only_the_ends_are_kept():
    backlog = Backlog(memory_bytes=300)
    for piece in range(10):
        backlog.add(output(piece))
        backlog.add(Finished(KEY, "", piece))
    backlog.keep_only(Finished)
    assert [each.exit_code for each in drained(backlog)] == list(range(10))
    backlog.add(output(1))
    assert drained(backlog) == [output(1)]
