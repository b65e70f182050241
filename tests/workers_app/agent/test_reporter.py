"""Reports stay with the worker until the broker has them."""

import time
from collections.abc import Callable
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest

from workers_app.agent.reporter import BATCH, BATCH_BYTES, UNCONFIRMED, Reporter
from workers_app.messaging.protocol import AttemptKey, Finished, Output, Reports


class Broker:
    """Takes messages; confirms those it is told to."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.arrived: list[Callable[[], None]] = []
        self.away = False

    def to_dispatchers(self, message: Reports, now: Any, arrived: Callable[[], None]) -> None:
        if self.away:
            raise ConnectionError
        self.sent.append([getattr(item, "piece", item) for item in message.items])
        self.arrived.append(arrived)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def reporter() -> Reporter:
    reporter = Reporter(uuid4(), lambda: woken.append(1))
    woken.clear()
    return reporter


woken: list[int] = []
KEY = AttemptKey(uuid4(), 1)


def add(reporter: Reporter, *pieces: int, text: str = "") -> None:
    for piece in pieces:
        reporter.add(Output(KEY, piece, text))


def test_many_that_come_together_go_together(broker, reporter):
    add(reporter, *range(450))
    assert len(woken) == 1
    reporter.flush(broker, None)
    assert [len(batch) for batch in broker.sent] == [200, 200, 50]
    assert list(chain(*broker.sent)) == list(range(450))
    add(reporter, 450)
    assert len(woken) == 2


def test_a_batch_never_grows_beyond_what_is_accepted(broker, reporter):
    add(reporter, *range(30), text="x" * (BATCH_BYTES // 4))
    reporter.flush(broker, None)
    assert list(chain(*broker.sent)) == list(range(30))
    assert max(map(len, broker.sent)) == 4


def test_without_a_broker_they_wait_in_order(broker, reporter):
    add(reporter, 1, 2)
    reporter.flush(None, None)
    broker.away = True
    with pytest.raises(ConnectionError):
        reporter.flush(broker, None)
    add(reporter, 3)
    broker.away = False
    reporter.reconnected()
    reporter.flush(broker, None)
    assert broker.sent == [[1, 2, 3]]


def test_what_was_not_confirmed_goes_again_over_the_next_connection(broker, reporter):
    for piece in (1, 2, 3):
        add(reporter, piece)
        reporter.flush(broker, None)
    broker.arrived[1]()
    add(reporter, 4)
    reporter.reconnected()
    reporter.flush(broker, None)
    assert broker.sent == [[1], [2], [3], [1, 3, 4]]
    for arrived in broker.arrived:
        arrived()
    assert reporter.idle


def test_what_is_not_confirmed_in_time_goes_again(broker, reporter, monkeypatch):
    add(reporter, 1)
    reporter.flush(broker, None)
    reporter.flush(broker, None)
    assert broker.sent == [[1]]
    later = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: later)
    reporter.flush(broker, None)
    assert broker.sent == [[1], [1]]


def test_a_new_incarnation_has_nothing_to_say(broker, reporter):
    add(reporter, 1)
    reporter.flush(broker, None)
    add(reporter, 2)
    reporter.forget(uuid4())
    reporter.reconnected()
    reporter.flush(broker, None)
    assert broker.sent == [[1]]
    assert reporter.idle


def test_how_attempts_ended_is_still_told_by_the_next_incarnation(broker, reporter):
    """Where their runs have not been given to another worker yet, they need not be done again."""
    ends = [Finished(AttemptKey(uuid4(), 1), "", 0) for _ in range(2)]
    add(reporter, 1)
    reporter.add(ends[0])
    reporter.flush(broker, None)
    reporter.add(ends[1])
    reporter.forget(uuid4())
    reporter.flush(broker, None)
    assert broker.sent == [[1, ends[0]], ends]


def test_a_broker_that_does_not_keep_up_gets_no_more_to_keep(broker, reporter):
    add(reporter, *range(BATCH * (UNCONFIRMED + 5)))
    reporter.flush(broker, None)
    assert len(broker.sent) == UNCONFIRMED
    before = len(woken)
    broker.arrived[0]()
    assert len(woken) == before + 1
    reporter.flush(broker, None)
    assert len(broker.sent) == UNCONFIRMED + 1
