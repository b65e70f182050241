"""The database's clock, and that somebody sets it."""

import time
from datetime import timedelta

import pytest

from tasks_app.clock import ClockWatch
from tests.tasks_app.factories import NOW


@pytest.mark.parametrize(
    ("told", "passed", "jump"), [(1, 1, 0), (1, 3, 0), (3600, 1, 3599), (-600, 2, -602), (0, 60, -60)]
)
def test_a_clock_that_was_set_is_noticed(monkeypatch, told, passed, jump):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    watch = ClockWatch()
    assert watch.jump(NOW) is None
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + passed)
    assert watch.jump(NOW + timedelta(seconds=told)) == timedelta(seconds=jump)
