"""What a process counts can be scraped."""

from urllib.request import urlopen

import pytest

from scheduler_project.standalone.state import free_port
from workers_app import metrics
from workers_app.events import note
from workers_app.messaging.dropped import drop


def test_events_and_dropped_messages_are_shown(caplog: pytest.LogCaptureFixture):
    note("test_kind", "Worker %s is gone.", "w1")
    drop("test_reason", "because")
    shown = metrics.exposition().decode()
    assert 'scheduler_events_total{kind="test_kind"} 1.0' in shown
    assert 'scheduler_messages_dropped_total{reason="test_reason"} 1.0' in shown
    assert "Worker w1 is gone. [test_kind]" in caplog.messages


def test_they_are_served_where_a_port_is_set(monkeypatch: pytest.MonkeyPatch):
    port = free_port()
    monkeypatch.setenv("METRICS_PORT", str(port))
    note("served", "…")
    metrics.serve()
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b'kind="served"' in answer.read()
