"""Percentiles, figures with their spread, and rounds."""

import pytest

from benchmarks import contest, figures
from benchmarks.contest import Round


def test_percentiles_are_measured_values():
    values = [float(value) for value in range(1, 101)]
    assert figures.percentile(values, 0.5) == 50
    assert figures.percentile(values, 0.99) == 99
    assert figures.percentile(values, 1) == 100
    assert figures.percentile([3.0, 1.0, 2.0], 0.5) == 2
    assert figures.percentile([7.0], 0.99) == 7


def test_a_figure_is_a_median_with_its_spread():
    assert figures.figure([3.0, 1.0, 2.04]) == {"median": 2.0, "spread": [1.0, 3.0], "values": [3.0, 1.0, 2.0]}


def test_figures_of_rounds_that_name_different_things():
    found = figures.figures([{"web": 1.0}, {"web": 3.0, "broker": 5.0}])
    assert found["web"]["median"] == 2
    assert found["broker"]["values"] == [5]


def test_lags_are_told_in_milliseconds():
    assert figures.lags([0.001, 0.002, 0.003]) == {"p50": 2.0, "p90": 3.0, "p99": 3.0, "max": 3.0}


def test_a_round_counts_per_minute_and_per_run():
    one = Round(100, 2.0, {"web": 0.5})
    assert one.per_minute == 3000
    assert one.cpu_ms == {"web": 5.0}


def test_contestants_take_turns():
    order: list[tuple[str, int]] = []

    class Contestant:
        def __init__(self, name: str, runs: int) -> None:
            self.name = name
            self.runs = runs

        def round(self, runs: int) -> Round:
            order.append((self.name, runs))
            return Round(runs, 1.0, {"all": 3.0})

    done = contest.alternate([Contestant("ours", 10), Contestant("theirs", 5)], 2, 7, lambda text: None)
    assert order == [("ours", 7), ("theirs", 5), *[("ours", 10), ("theirs", 5)] * 2]
    assert contest.ratio(done["ours"], done["theirs"])["median"] == pytest.approx(2)
    assert contest.cpu_ratio(done["ours"], done["theirs"])["median"] == pytest.approx(2)
