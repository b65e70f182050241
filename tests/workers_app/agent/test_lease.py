"""Until when an incarnation may act."""

import time

import pytest

from workers_app.agent.lease import MARGIN_SECONDS, Incarnation


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Moves the monotonic clock that the lease reads."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

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
