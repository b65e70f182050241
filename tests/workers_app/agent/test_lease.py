"""Until when an incarnation may act."""

import pytest

from workers_app.agent import lease
from workers_app.agent.lease import KNOWN_SECONDS, MARGIN_SECONDS, DatabaseClock, Incarnation


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Moves the steady clock that the lease reads."""
    now = [100.0]
    monkeypatch.setattr(lease, "steady", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def test_nothing_may_act_before_its_first_lease(clock):
    incarnation = Incarnation()
    assert (incarnation.may_act, incarnation.ended) == (False, False)


def test_a_lease_counts_from_when_the_heartbeat_was_sent(clock):
    incarnation = Incarnation()
    seq = incarnation.next_heartbeat()
    clock(6)
    incarnation.grant(seq, 10.0)
    assert incarnation.may_act
    clock(10 - MARGIN_SECONDS - 6)
    assert (incarnation.may_act, incarnation.ended) == (False, True)


def test_a_late_answer_does_not_shorten_the_lease(clock):
    incarnation = Incarnation()
    first = incarnation.next_heartbeat()
    clock(2)
    second = incarnation.next_heartbeat()
    incarnation.grant(second, 10.0)
    incarnation.grant(first, 10.0)
    incarnation.grant(99, 1000.0)
    clock(8.5)
    assert incarnation.may_act


def test_a_lease_that_has_ended_does_not_come_back(clock):
    incarnation = Incarnation()
    incarnation.grant(incarnation.next_heartbeat(), 10.0)
    second = incarnation.next_heartbeat()
    clock(9.5)
    incarnation.grant(second, 100.0)
    assert (incarnation.may_act, incarnation.ended) == (False, True)


def test_the_time_is_known_as_long_as_leases_come(clock):
    """After that the database's clock may have been set: undated messages are believed, wrongly dated ones never."""
    told = DatabaseClock()
    assert told.now is None
    told.told(5000.0)
    clock(KNOWN_SECONDS - 1)
    assert told.now == 5000.0 + KNOWN_SECONDS - 1
    clock(1)
    assert told.now is None
    told.told(1000.0)
    assert told.now == 1000.0


def test_it_is_known_how_long_it_may_act_and_how_many_heartbeats_nobody_has_answered(clock):
    incarnation = Incarnation()
    first = incarnation.next_heartbeat()
    incarnation.next_heartbeat()
    assert (incarnation.unanswered, incarnation.seconds_left) == (2, 0.0)
    incarnation.grant(first, 10.0)
    clock(2)
    assert (incarnation.unanswered, incarnation.seconds_left) == (1, 10.0 - MARGIN_SECONDS - 2)
