"""Refusals are all counted, and seldom logged."""

import logging
import threading
from uuid import uuid4

import pytest

from tasks_app import refusals
from tasks_app.refusals import refuse
from workers_app.events import events


def test_a_flood_is_one_line(caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(refusals, "LOG_SECONDS", 1e9)
    kind = f"test_{uuid4()}"
    with caplog.at_level(logging.WARNING):
        for number in range(100):
            refuse(kind, "Refused number %d", number)
    assert events[kind] == 100
    assert [record.getMessage() for record in caplog.records] == [f"Refused number 0 [{kind}, 1 so far]"]


def test_each_kind_has_its_own_line(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            refuse(f"test_{uuid4()}", "Refused")
    assert len(caplog.records) == 2


def test_a_line_comes_again_after_a_while(caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(refusals, "LOG_SECONDS", 0.0)
    kind = f"test_{uuid4()}"
    with caplog.at_level(logging.WARNING):
        refuse(kind, "Refused")
        refuse(kind, "Refused")
    assert [record.getMessage() for record in caplog.records][1] == f"Refused [{kind}, 2 so far]"


def test_threads_lose_no_count():
    kind = f"test_{uuid4()}"
    threads = [threading.Thread(target=lambda: [refuse(kind, "Refused") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events[kind] == 4000
