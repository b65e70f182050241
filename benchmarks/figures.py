"""Statistics: the figure that is made of several measured values."""

import math
import statistics
from collections.abc import Sequence
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def figure(values: Sequence[float], digits: int = 1) -> dict[str, Any]:
    """Median, spread (lowest, highest) and the values themselves."""
    rounded = [round(value, digits) for value in values]
    return {
        "median": round(statistics.median(values), digits),
        "spread": [min(rounded), max(rounded)],
        "values": rounded,
    }


def figures(rows: Sequence[dict[str, float]], digits: int = 3) -> dict[str, dict[str, Any]]:
    """One figure for each name in `rows`."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: figure([row[name] for row in rows if name in row], digits) for name in names}


def lags(seconds: Sequence[float]) -> dict[str, float]:
    """How long things took, in ms: p50, p90, p99 and the longest."""
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: percentile(seconds, share) * 1000 for name, share in shares.items()}
