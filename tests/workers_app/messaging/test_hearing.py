"""Whether a connection delivers."""

import time

import pytest

from workers_app.messaging.hearing import DEAF_SECONDS, DEAF_TIMES, Hearing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def test_one_echo_at_a_time_and_deaf_when_it_does_not_come(clock):
    hearing = Hearing()
    clock(10)
    assert not hearing.is_deaf()
    assert [hearing.ask(), hearing.ask()] == [True, False]
    clock(DEAF_SECONDS - 0.1)
    assert not hearing.is_deaf()
    clock(0.1)
    assert hearing.is_deaf()


def test_anything_that_comes_will_do(clock):
    hearing = Hearing()
    clock(3)
    assert hearing.silence == 3
    hearing.ask()
    hearing.heard()
    clock(DEAF_SECONDS)
    assert (hearing.silence, hearing.is_deaf()) == (DEAF_SECONDS, False)
    assert hearing.ask()


def deaf(hearing: Hearing, clock, accepted: bool) -> None:
    hearing.reconnected()
    hearing.ask()
    if accepted:
        hearing.accepted()
    clock(DEAF_SECONDS)
    assert hearing.is_deaf()


def test_only_connections_that_took_the_echo_count_against_the_process(clock):
    hearing = Hearing()
    for _ in range(3 * DEAF_TIMES):
        deaf(hearing, clock, accepted=False)
    assert not hearing.is_ill
    for _ in range(DEAF_TIMES):
        assert not hearing.is_ill
        deaf(hearing, clock, accepted=True)
    assert hearing.is_ill
    hearing.heard()
    assert not hearing.is_ill
