"""The rules of circuits, without a database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app import circuit
from tasks_app.circuit import CLOSED, HALF_OPEN, OPEN, Limits, State

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
LIMITS = Limits(failures=3, seconds=30)
limits = st.builds(Limits, failures=st.integers(1, 1000), seconds=st.floats(1, 86_400))
seconds = st.floats(1, 86_400)


def attempt(number: int) -> circuit.Attempt:
    return UUID(int=number), 1


def after_failures(number: int, of: Limits = LIMITS, now: datetime = NOW) -> State:
    state = State()
    for each in range(number):
        state = circuit.failed(state, attempt(each), of, now)
    return state


def after_probe_failed(times: int) -> State:
    """A circuit that opened, and whose probe failed so many times, each as soon as it might pass."""
    state = after_failures(LIMITS.failures)
    for number in range(100, 100 + times):
        state = circuit.probing(state, attempt(number))
        state = circuit.failed(state, attempt(number), LIMITS, state.retry_at or NOW)
    return state


@given(limits, st.data())
def test_it_opens_after_just_so_many_failures_in_a_row(of: Limits, data: st.DataObject):
    before = data.draw(st.integers(0, of.failures - 1))
    state = circuit.succeeded(after_failures(before, of))
    for number in range(of.failures):
        assert state.state == CLOSED
        state = circuit.failed(state, attempt(number), of, NOW)
    assert (state.state, state.trips, state.opened_at) == (OPEN, 1, NOW)
    assert state.retry_at == NOW + timedelta(seconds=of.seconds)


def test_it_is_probed_when_its_time_has_come():
    state = after_failures(3)
    assert not circuit.may_probe(state, NOW + timedelta(seconds=29.9))
    assert circuit.may_probe(state, NOW + timedelta(seconds=30))
    assert not circuit.may_probe(circuit.probing(state, attempt(9)), NOW + timedelta(hours=1))
    assert not circuit.may_probe(State(), NOW)


@pytest.mark.parametrize(
    ("failed", "expected"), [(0, 30), (1, 60), (2, 120), (4, 480), (5, 600), (40, 600), (2000, 600)]
)
def test_it_stays_open_twice_as_long_after_each_failed_probe_up_to_ten_minutes(failed: int, expected: float):
    assert circuit.wait(failed + 1, 30) == expected


@given(st.integers(1, 10**6), seconds)
def test_the_wait_grows_within_its_bounds(trips: int, base: float):
    assert base <= circuit.wait(trips, base) <= circuit.wait(trips + 1, base) <= max(base, 600)


def test_a_failed_probe_opens_it_again_and_it_counts_as_open_since_it_opened():
    state = after_probe_failed(2)
    assert (state.state, state.trips, state.failures, state.opened_at) == (OPEN, 3, 5, NOW)
    assert state.retry_at == NOW + timedelta(seconds=30 + 60 + 120)
    assert state.probe is None


def test_failures_of_what_had_begun_before_neither_prolong_it_nor_end_the_probe():
    state = after_failures(3)
    late = circuit.failed(state, attempt(50), LIMITS, NOW + timedelta(seconds=20))
    assert (late.state, late.retry_at, late.failures) == (OPEN, state.retry_at, 4)
    probing = circuit.probing(late, attempt(9))
    later = circuit.failed(probing, attempt(51), LIMITS, NOW + timedelta(seconds=40))
    assert (later.state, later.probe) == (HALF_OPEN, attempt(9))


def test_another_attempt_of_the_probes_run_is_not_the_probe():
    run, _ = attempt(9)
    probing = circuit.probing(after_failures(3), (run, 2))
    assert circuit.failed(probing, (run, 1), LIMITS, NOW).state == HALF_OPEN
    assert circuit.failed(probing, (run, 2), LIMITS, NOW).state == OPEN


def test_a_lost_probe_lets_another_pass_at_once():
    state = after_probe_failed(1)
    passes = state.retry_at or NOW
    lost = circuit.probe_lost(circuit.probing(state, attempt(9)))
    assert lost == state
    assert circuit.may_probe(lost, passes)


MOVES = ["success", "failure", "probe fails", "probe is lost", "assign", "wait"]


class World:
    """A circuit, and the attempts that were let through; keeps the rules' promises in sight."""

    def __init__(self, of: Limits) -> None:
        self.limits = of
        self.now = NOW
        self.state = State()
        self.probes: set[circuit.Attempt] = set()
        self.number = 0

    def do(self, move: str) -> None:
        self.number += 1
        before = self.state
        match move:
            case "success":
                self.state = circuit.succeeded(before)
                self.probes.clear()
                assert self.state == State(opened_at=before.opened_at)
            case "failure":
                self.state = circuit.failed(before, attempt(self.number), self.limits, self.now)
                assert self.state.probe == before.probe
            case "probe fails" if before.probe:
                self.probes.discard(before.probe)
                self.state = circuit.failed(before, before.probe, self.limits, self.now)
                assert (self.state.state, self.state.trips) == (OPEN, before.trips + 1)
            case "probe is lost" if before.probe:
                self.probes.discard(before.probe)
                self.state = circuit.probe_lost(before)
            case "assign" if circuit.may_probe(before, self.now):
                self.probes.add(attempt(self.number))
                self.state = circuit.probing(before, attempt(self.number))
            case "wait":
                self.now += timedelta(seconds=self.limits.seconds)


@given(st.builds(Limits, failures=st.integers(1, 4), seconds=seconds), st.lists(st.sampled_from(MOVES), max_size=60))
def test_whatever_happens_at_most_one_probe_is_under_way(of: Limits, moves: list[str]):
    world = World(of)
    for move in moves:
        world.do(move)
        state = world.state
        assert len(world.probes) <= 1
        assert world.probes == ({state.probe} if state.probe else set())
        assert (state.state == HALF_OPEN) == (state.probe is not None)
        assert (state.state == CLOSED) == (state.retry_at is None)
        assert state.state != CLOSED or state.failures < of.failures


@pytest.mark.parametrize(
    ("executor", "command", "expected"),
    [
        ("shell", "https://example.com/", None),
        ("http", "https://Api.Example.com/a?b=c", "host:api.example.com:443"),
        ("http", "http://api.example.com./", "host:api.example.com:80"),
        ("http", "https://api.example.com:8443/", "host:api.example.com:8443"),
        ("http", "http://[2001:DB8::1]:8080/", "host:[2001:db8::1]:8080"),
        ("http", "http://bücher.example/", "host:bücher.example:80"),
        ("http", f"http://{'x' * 254}/", None),
        ("http", "http://example.com:99999/", None),
        ("http", "no url", None),
    ],
)
def test_the_target_of_an_http_call_is_host_and_port(executor: str, command: str, expected: str | None):
    assert circuit.host(executor, command) == expected
