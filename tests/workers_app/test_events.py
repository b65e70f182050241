"""What comes in floods is all counted, and seldom logged."""

import logging
import threading
from uuid import uuid4

import pytest

from workers_app import events as module
from workers_app.events import events, note, note_often


def test_a_flood_is_one_line(caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(module, "LOG_SECONDS", 1e9)
    kind = f"test_{uuid4()}"
    with caplog.at_level(logging.WARNING):
        for number in range(100):
            note_often(kind, "Refused number %d", number)
    assert events[kind] == 100
    assert [record.getMessage() for record in caplog.records] == [f"Refused number 0 [{kind}, 1 so far]"]


def test_each_kind_has_its_own_line(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            note_often(f"test_{uuid4()}", "Refused")
    assert len(caplog.records) == 2


def test_a_line_comes_again_after_a_while(caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(module, "LOG_SECONDS", 0.0)
    kind = f"test_{uuid4()}"
    with caplog.at_level(logging.WARNING):
        note_often(kind, "Refused")
        note_often(kind, "Refused")
    assert [record.getMessage() for record in caplog.records][1] == f"Refused [{kind}, 2 so far]"


def test_an_error_without_a_text_has_a_name(caplog: pytest.LogCaptureFixture):
    kind = f"test_{uuid4()}"
    note(kind, "Away: %s, %s", TimeoutError(), OSError("refused"))
    assert [record.getMessage() for record in caplog.records] == [f"Away: TimeoutError(), refused [{kind}]"]


def test_threads_lose_no_count():
    kind = f"test_{uuid4()}"
    threads = [threading.Thread(target=lambda: [note_often(kind, "Refused") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events[kind] == 4000


def test_what_is_rare_has_a_line_each(caplog: pytest.LogCaptureFixture):
    kind = f"test_{uuid4()}"
    with caplog.at_level(logging.WARNING):
        note(kind, "It was %s", "lost")
        note(kind, "It was %s", "found")
    assert events[kind] == 2
    assert [record.getMessage() for record in caplog.records] == [f"It was lost [{kind}]", f"It was found [{kind}]"]
