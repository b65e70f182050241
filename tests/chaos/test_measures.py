"""The pure parts of measures."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.measures import run
from tests.chaos.measures.base import Figures, Goal, Measure, Setting
from tests.chaos.measures.frozen import wrong
from tests.chaos.measures.ledger import Ledger, Start
from tests.chaos.measures.numbers import (
    full_rate_after,
    growth_percent,
    latenesses,
    percentile,
    slope,
    slope_percent,
)
from tests.chaos.measures.registry import MEASURES, wanted
from tests.chaos.measures.report import judge, table

MEASURE = Measure("some", "something", lambda setting: {}, (Goal("slowest", 20, 12), Goal("lost", 0, 0, "runs")))


def evenly(since: float, until: float, rate: float) -> list[float]:
    return [since + number / rate for number in range(round((until - since) * rate))]


def test_percentiles():
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 99) == 7


def test_a_slope_is_that_of_the_line():
    points = [(float(at), 100 + at / 60) for at in range(0, 600, 10)]
    assert slope(points, 600) == pytest.approx(10)
    assert slope_percent(points, 600) == pytest.approx(10 / 1.05, rel=0.01)
    assert slope(points[:1], 600) == slope([], 600) == 0
    assert slope_percent([(0.0, 0.0), (1.0, 0.0)], 600) == 0


def test_growth_is_that_of_the_medians():
    assert growth_percent([100, 100, 900], [110, 110, 0]) == pytest.approx(10)


def test_the_full_rate_comes_back():
    moments = evenly(0, 10, 80) + evenly(13, 30, 80)
    assert full_rate_after(moments, 10, 80) == pytest.approx(4, abs=0.11)


def test_a_rate_that_stays_lower_does_not_come_back():
    assert full_rate_after(evenly(0, 30, 70), 0, 80) is None
    assert full_rate_after([], 0, 80) is None


def test_a_burst_is_no_full_rate():
    moments = [12.0] * 80 + evenly(20, 40, 80)
    assert full_rate_after(moments, 10, 80) == pytest.approx(11, abs=0.11)


def test_what_was_never_full_within_the_time_is_not_told_by_a_short_end():
    assert full_rate_after(evenly(28, 30, 80), 0, 80) is None


def test_latenesses_are_of_the_first_starts():
    starts = [(10.0, 10.25), (10.0, 10.125), (12.0, 12.5)]
    assert latenesses([10.0, 11.0, 12.0], starts) == [0.125, None, 0.5]


@pytest.mark.parametrize(
    ("slowest", "verdict"), [(11.0, "aim"), (12.0, "aim"), (12.1, "must"), (20.1, "MISSED"), (None, "MISSED")]
)
def test_a_figure_is_judged_by_its_goal(slowest: float | None, verdict: str):
    first, second = judge(MEASURE, "some", {"slowest": slowest, "lost": 0})
    assert (first.verdict, second.verdict) == (verdict, "aim")


def test_the_table_shows_what_there_is_and_what_is_lacking():
    head, first, second = table(judge(MEASURE, "some", {"slowest": 12.3456})).splitlines()
    assert head.split() == ["measure", "figure", "must", "aim", "seen", "verdict"]
    assert first.split() == ["some", "slowest", "≤", "20", "s", "≤", "12", "s", "12.3", "s", "must"]
    assert second.split()[-2:] == ["–", "MISSED"]


def test_what_takes_long_is_only_taken_when_named():
    assert {each.name for each in wanted([])} == MEASURES.keys() - {"soak"}
    assert [each.name for each in wanted(["soak"])] == ["soak"]


def test_scales():
    half = Setting("streams", 0.5, Path(), print)
    assert (half.count(100), half.count(1), half.count(4, least=3)) == (50, 1, 3)
    assert (half.seconds(60, 10), half.seconds(60, 40)) == (30, 40)


@pytest.mark.parametrize(("figures", "code"), [({"slowest": 1.23456, "lost": 0}, 0), ({"slowest": 30, "lost": 0}, 1)])
def test_a_missed_goal_is_the_exit_code(figures: Figures, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    measure = Measure("some", "something", lambda setting: figures, MEASURE.goals)
    monkeypatch.setattr(run, "wanted", lambda names: [measure])
    file = io.StringIO()
    assert run.take([], ["streams"], 1.0, tmp_path, file) == code
    seen = {"measure": "some", "broker": "streams", "scale": 1.0, "slowest": round(figures["slowest"], 3), "lost": 0}
    assert json.loads(file.getvalue()) == seen


def test_a_measure_that_cannot_be_taken_has_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def take(setting: Setting) -> Figures:
        raise AssertionError("no such thing")

    monkeypatch.setattr(run, "wanted", lambda names: [Measure("some", "something", take, MEASURE.goals)])
    file = io.StringIO()
    assert run.take([], ["streams"], 1.0, tmp_path, file) == 1
    assert json.loads(file.getvalue())["error"] == "AssertionError: no such thing"


@pytest.mark.parametrize(
    ("shown", "output", "found"),
    [
        (("running", "worker_lost", 2, "w2"), "", ""),
        (("assigned", "worker_lost", 3, "w3"), "", ""),
        (("cancelled", "cancelled", 2, "w2"), "", ""),
        (("failed", "worker_lost", 3, None), "", "lost"),
        (("running", "", 1, "w1"), "", "stale"),
        (("succeeded", "", 2, "w2"), "", "stale"),
        (("failed", "error", 2, "w2"), "", "stale"),
        (("running", "worker_lost", 2, "w1"), "", "stale"),
        (("running", "worker_lost", 2, "w2"), "stale output\n", "stale"),
    ],
)
def test_what_an_old_attempt_has_said_is_seen(shown: tuple[Any, ...], output: str, found: str):
    newest = Start(at=1.0, run="a", attempt=2, worker="w2", nominal=0.0, pid=1)
    assert wrong(dict(zip(("status", "reason", "attempt", "worker"), shown, strict=True)), newest, output) == found


def test_a_ledger_is_read_while_it_grows(tmp_path: Path):
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    assert ledger.starts == []
    path.write_text("10.50 a 1 w1 2030-01-01T00:00:00Z 7\n10.75 a 3 w2 2030-01-01T00:00:00Z 8\n11.0")
    assert [(start.run, start.attempt, start.worker, start.pid) for start in ledger.starts] == [
        ("a", 1, "w1", 7),
        ("a", 3, "w2", 8),
    ]
    with path.open("a") as file:
        file.write("0 a 4 w3 2030-01-01T00:00:01Z 9\n11.00 b 1 w1 2030-01-01T00:00:00Z 9\n")
    assert ledger.begun == {"a", "b"}
    assert ledger.starts[1].at - ledger.starts[0].at == pytest.approx(0.25)
    assert {run: start.attempt for run, start in ledger.again({"a", "b"}).items()} == {"a": 3}
    assert ledger.first({"a", "b"}).keys() == {"a", "b"}
    newest = ledger.newest("a")
    assert newest
    assert (newest.attempt, newest.nominal) == (4, 1893456001)
