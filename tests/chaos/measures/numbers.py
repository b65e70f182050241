"""What figures are made of: pure."""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil
from statistics import linear_regression, median

SECOND = 1.0
STEP = 0.1
HOLD_SECONDS = 5.0
FULL = 0.95


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all are not above; `values` may not be empty."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def slope(points: Sequence[tuple[float, float]], seconds: float) -> float:
    """By how much a value grows in so many `seconds`: points are (seconds, value), the line is fitted to them all."""
    if len(points) < 2:
        return 0.0
    times, values = zip(*points, strict=True)
    return linear_regression(times, values).slope * seconds


def slope_percent(points: Sequence[tuple[float, float]], seconds: float) -> float:
    """The same in percent of the median value."""
    middle = median(value for _, value in points) if points else 0.0
    return 100 * slope(points, seconds) / middle if middle else 0.0


def growth_percent(before: Sequence[float], after: Sequence[float]) -> float:
    """From the median of some values to that of others."""
    return 100 * (median(after) / median(before) - 1)


def full_rate_after(moments: Sequence[float], since: float, rate: float) -> float | None:
    """Seconds from `since` until events have come at the full `rate` (per second) for a second; None if they never do.

    It is the first second that has at least 95 % of what `rate` says, if the five seconds from its begin have it, too.
    """
    ordered = sorted(moments)

    def full(begin: float, seconds: float) -> bool:
        number = bisect_left(ordered, begin + seconds) - bisect_left(ordered, begin)
        return number >= FULL * rate * seconds

    last = ordered[-1] - HOLD_SECONDS if ordered else since - STEP
    for step in range(int(max(0.0, last - since + STEP) / STEP)):
        begin = since + step * STEP
        if full(begin, SECOND) and full(begin, HOLD_SECONDS):
            return begin + SECOND - since
    return None


def latenesses(due: Sequence[float], starts: Sequence[tuple[float, float]]) -> list[float | None]:
    """How late each due moment was started first, None where it never was; starts are (due moment, started at)."""
    first: dict[float, float] = {}
    for nominal, at in starts:
        first[nominal] = min(at, first.get(nominal, at))
    return [first[moment] - moment if moment in first else None for moment in due]
