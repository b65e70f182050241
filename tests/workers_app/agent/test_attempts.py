"""What a worker starts, refuses, remembers and gives back."""

from uuid import uuid4

import pytest

from executors.base import AT_ONCE
from workers_app.agent.attempts import Attempts
from workers_app.messaging.protocol import Assignment, AttemptKey, Finished, Returned


class Bench:
    """Attempts on a worker with two slots; what was started, told to end, and reported."""

    def __init__(self) -> None:
        self.started: dict[AttemptKey, Job] = {}
        self.reports: list = []
        self.attempts = Attempts(2, self._start, lambda assignment, cancel: Request(), self.reports.append)

    def _start(self, assignment: Assignment, done) -> "Job":
        self.started[assignment.key] = Job(done)
        return self.started[assignment.key]

    def take(self, key: AttemptKey) -> None:
        self.attempts.take(Assignment(key, "t", "shell", "true", {}, {}, "", None))

    def end(self, key: AttemptKey, reason: str = "") -> None:
        self.started[key].done(Finished(key, reason))


class Job:
    def __init__(self, done) -> None:
        self.done = done
        self.why = ""

    def cancel(self, why: str) -> None:
        self.why = self.why or why


class Request:
    def begin(self) -> None: ...
    def end(self, error: str) -> None: ...


@pytest.fixture
def bench() -> Bench:
    return Bench()


def a_key(attempt: int = 1) -> AttemptKey:
    return AttemptKey(uuid4(), attempt)


def test_an_attempt_starts_at_most_once(bench: Bench):
    key = a_key()
    for _ in range(2):
        bench.take(key)
    bench.end(key)
    bench.take(key)
    assert list(bench.started) == [key]
    assert bench.reports == [Finished(key, "")]


def test_an_earlier_attempt_that_comes_late_does_not_start(bench: Bench):
    run = uuid4()
    bench.take(AttemptKey(run, 2))
    bench.take(AttemptKey(run, 1))
    assert list(bench.started) == [AttemptKey(run, 2)]


def test_a_full_worker_gives_back(bench: Bench):
    keys = [a_key() for _ in range(3)]
    for key in keys:
        bench.take(key)
    assert bench.reports == [Returned(keys[2], "full")]


def test_a_closed_worker_gives_back(bench: Bench):
    bench.attempts.closed = True
    key = a_key()
    bench.take(key)
    assert (bench.started, bench.reports) == ({}, [Returned(key, "shutdown")])


def test_what_is_asked_after_is_explained(bench: Bench):
    held, ended, unheard_of = a_key(), a_key(), a_key()
    bench.take(held)
    bench.take(ended)
    bench.end(ended)
    bench.reports.clear()
    bench.attempts.explain([held, ended, unheard_of])
    assert bench.reports == [Finished(ended, ""), Returned(unheard_of, "undelivered")]
    bench.take(unheard_of)
    assert unheard_of not in bench.started


@pytest.mark.parametrize(
    ("why", "reported"),
    [
        ("cancelled", lambda key: [Finished(key, "cancelled")]),
        ("shutdown", lambda key: [Returned(key, "shutdown", begun=True)]),
        ("unable", lambda key: [Returned(key, "unable", begun=False)]),
        (AT_ONCE, lambda key: []),
    ],
)
def test_what_was_told_to_end_reports_when_it_is_gone(bench: Bench, why: str, reported):
    key = a_key()
    bench.take(key)
    bench.attempts.stop([key, a_key()], why)
    assert bench.started[key].why == why
    assert key in bench.attempts.held
    bench.end(key, why)
    assert bench.reports == reported(key)
    assert not bench.attempts.held


def test_a_new_incarnation_ends_all_and_answers_for_none_of_it(bench: Bench):
    running, ended = a_key(), a_key()
    bench.take(running)
    bench.take(ended)
    bench.end(ended)
    bench.attempts.forget()
    assert bench.started[running].why == AT_ONCE
    bench.reports.clear()
    bench.attempts.explain([ended])
    assert bench.reports == [Returned(ended, "undelivered", begun=True)]
