"""Verdicts, the fields of the file, and the table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import bars, figures, report

STACK = "postgresql/redis-streams"


def throughput(rate: float) -> dict[str, Any]:
    return {"per_minute": figures.figure([rate], 0), "cpu_ms_per_run": figures.figures([{"web": 0.2, "workers": 0.5}])}


@pytest.fixture
def results() -> dict[str, Any]:
    """Where every aim is met."""
    rival = {
        **throughput(10_000),
        **{"worker_processes": 1, "pool": "prefork", "concurrency": 2, "broker": "redis-lists"},
        **{"ours_is_times_faster": figures.figure([6.6]), "takes_times_our_cpu": figures.figure([2.0])},
    }
    return {
        "size": "quick",
        "started_at": "2030-01-01T00:00:00+00:00",
        "machine": {
            "cores": 2,
            "processor": "x",
            "system": "Linux",
            "python": "3.11",
            "servers": {"redis": {"v": "7"}},
        },
        "floor": {"fork_exec_per_second": figures.figure([2_500])},
        "throughput": {"shell": {STACK: throughput(66_000), "sqlite/valkey-lists": throughput(20_000)}, "http": {}},
        "baseline": {"stack": STACK, "tuned": rival},
        "latency": {"stack": STACK, "trigger_to_start_ms": figures.figures([figures.lags([0.008, 0.009, 0.03])])},
        "cron": {"stack": STACK, "cron_lag_ms": figures.figures([figures.lags([0.1, 0.2])])},
        "concurrency": {"stack": STACK, "max_running": 5_000, "attempts": []},
        "memory": {
            "stack": STACK,
            "pss_mb": {"web": 40.0, "dispatcher": 49.0, "worker": 30.0, "worker's helper 1": 6.0},
            "idle_cpu_percent": {"web": 0.1},
        },
        "streams": {"ratio": 0.3},
        "blocked": {"stack": STACK, "waiting": 100_000, "worst_ms": 30.0},
        "tenants": {"stack": STACK, "waiting": 100_000, "ms": {"median": 10.0, "max": 30.0}},
        "flow": {"stack": STACK, "tasks": 1_000, "seconds": 2.5},
        "children": {"stack": STACK, "lag_ms": figures.figures([figures.lags([0.01, 0.02])])},
        "fan_out": {"stack": STACK, "items": 10_000, "seconds": 19.0},
        "rate": {"stack": STACK, "per_second": 90.0, "most_in_a_second": 100},
        "planning": {
            **{"stack": STACK, "next_fires_per_second": 70_000, "next_ms": 4.0, "read_ms": 3.0, "outage_ms": 9.0},
            **{"single": {"a leap day": {"read_ms": 3.0, "next_ms": 4.0}}, "outages": {"400 days, all": 9.0}},
        },
        "apply": {"stack": STACK, "tasks": 10_000, "seconds": 4.0, "again_seconds": 3.0},
        "fires": {
            **{"stack": STACK, "tasks": 150_000, "per_second": 6_000, "cpu_ms_per_fire": {"dispatcher": 0.2}},
            **{"beat": {"per_second": 160.0, "cpu_ms_per_fire": {"beat": 6.0}}},
            **{"times_faster": 37.5, "times_less_cpu": 30.0},
        },
        "scale": {
            **{"stack": STACK, "tasks": 1_000_000, "dispatcher_pss_mb": 70.0},
            **{name: figures.figures([figures.lags([0.1, 0.2])]) for name in ("lag_ms", "start_ms")},
        },
        "not_measured": [],
    }


def verdicts(results: dict[str, Any]) -> list[str]:
    return [row.verdict for row in bars.judge(results)]


def test_every_aim_is_met(results: dict[str, Any]):
    assert verdicts(results) == ["aim met"] * 21


def slow_floor(results: dict[str, Any]) -> None:
    results["floor"]["fork_exec_per_second"] = figures.figure([2_800])


def slow_shell(results: dict[str, Any]) -> None:
    results["throughput"]["shell"][STACK] = throughput(29_999)


def late_median(results: dict[str, Any]) -> None:
    results["latency"]["trigger_to_start_ms"]["p50"] = figures.figure([12.0])


def fat_web(results: dict[str, Any]) -> None:
    results["memory"]["pss_mb"]["web"] = 80.0


def few_at_once(results: dict[str, Any]) -> None:
    results["concurrency"]["max_running"] = 1_000


def slow_expression(results: dict[str, Any]) -> None:
    results["planning"]["next_ms"] = 5.1


def late_fires(results: dict[str, Any]) -> None:
    results["scale"]["lag_ms"]["p99"] = figures.figure([1_000.0])


@pytest.mark.parametrize(
    ("row", "change", "verdict"),
    [
        (0, slow_floor, "met"),
        (0, slow_shell, "MISSED"),
        (2, late_median, "met"),
        (5, few_at_once, "met"),
        (6, fat_web, "MISSED"),
        (15, slow_expression, "met"),
        (19, late_fires, "MISSED"),
    ],
)
def test_a_figure_changes_its_own_verdict(
    results: dict[str, Any], row: int, change: Callable[[dict[str, Any]], None], verdict: str
):
    change(results)
    found = verdicts(results)
    assert found.pop(row) == verdict
    assert found == ["aim met"] * 20


def test_what_is_missing_here_is_told_and_fails_nothing(results: dict[str, Any]):
    del results["streams"]
    results["not_measured"] = [{"measure": "streams", "stack": "", "why": "no redis", "failed": False}]
    (row,) = [row for row in bars.judge(results) if row.verdict != "aim met"]
    assert row.verdict == "not measured: no redis"
    assert not row.missed


def test_a_measure_that_went_wrong_fails(results: dict[str, Any]):
    del results["cron"]
    results["not_measured"] = [{"measure": "cron", "stack": STACK, "why": "too late", "failed": True}]
    (row,) = [row for row in bars.judge(results) if row.verdict != "aim met"]
    assert row.verdict == "INVALID: too late"
    assert row.missed


def test_figures_of_another_database_do_not_count(results: dict[str, Any]):
    results["cron"]["stack"] = "sqlite/rabbitmq"
    assert verdicts(results)[3] == "not measured: not asked for"


def test_file_and_table_say_the_same(results: dict[str, Any], tmp_path: Path):
    path = tmp_path / "results" / "latest.json"
    results["throughput"]["share_of_fork_exec"] = bars.share_of_floor(results)
    table = report.write(results, path)
    told = json.loads(path.read_text())
    assert {"machine", "floor", "throughput", "latency", "concurrency", "memory", "baseline", "bar"} <= told.keys()
    assert told["missed"] == []
    assert {"name", "measured", "spread", "must", "aim", "verdict"} <= told["bar"][0].keys()
    assert told["latency"]["trigger_to_start_ms"].keys() >= {"p50", "p99"}
    assert path.with_suffix(".md").read_text() == table
    assert "| 66,000" in table
    assert "44%" in table
    assert "Celery tuned: 1 × prefork(2), redis-lists" in table
    assert "| next fire, a leap day" in table
    assert "| fires a second, django-celery-beat" in table


def test_a_missed_must_is_the_exit_code(results: dict[str, Any], tmp_path: Path):
    said: list[str] = []
    assert cli.finish(results, tmp_path / "good.json", said.append) == 0
    fat_web(results)
    assert cli.finish(results, tmp_path / "bad.json", said.append) == 1
    assert "memory" in said[-1]


def test_a_report_of_nothing_at_all_can_be_written(results: dict[str, Any], tmp_path: Path):
    bare = {name: results[name] for name in ("size", "started_at", "machine", "not_measured")}
    table = report.write({**bare, "throughput": {"shell": {}, "http": {}}}, tmp_path / "bare.json")
    assert table.count("not measured: not asked for") == 21
