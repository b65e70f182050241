"""How long a failed run waits before its next attempt. Pure: the caller brings the random number.

The wait grows exponentially and is spread by *full jitter*, which the AWS architecture blog
("Exponential Backoff And Jitter", 2015) measured to cause the least work when many clients fail together:
uniform between 0 and the bound. Plain full jitter may also wait almost nothing, which is a poor answer to a
failure, so job queues keep a floor (Oban: 15 s plus, Sidekiq: 15 s plus, River: 90 % of the wait). Here the
floor is half the base: runs that failed together are spread from the first retry on, and none comes back at once.
"""

import signal
from collections.abc import Iterable

_FLOOR = 0.5
"""The shortest wait, as a share of the base."""


def delay(failures: int, *, base: float, factor: float = 2.0, cap: float, jitter: float) -> float:
    """Seconds to wait after `failures` (≥ 1) failed attempts.

    The bound is `base * factor ** (failures - 1)` seconds, at most `cap` seconds; the wait lies between
    half the base (or of the cap, if that is smaller) and the bound. `jitter` in [0, 1) picks where.
    """
    if failures < 1:
        raise ValueError(f"failures is {failures}; there is nothing to wait for before the first failure (1).")
    highest = _bound(failures, base, factor, cap)
    lowest = min(base * _FLOOR, cap * _FLOOR, highest)
    return min(lowest + (highest - lowest) * jitter, highest)


def may_retry(failures: int, max_attempts: int) -> bool:
    """Whether a run that failed `failures` times may be tried again; `max_attempts` counts the first try too."""
    return failures < max_attempts


def _bound(failures: int, base: float, factor: float, cap: float) -> float:
    try:
        return min(cap, base * factor ** (failures - 1))
    except OverflowError:
        return cap if base else 0.0


def is_wanted(reason: str, exit_code: int | None, only: Iterable[int | str], never: Iterable[int | str]) -> bool:
    """Whether an attempt that ended like this is one after which to try again.

    `only` and `never` hold exit codes or HTTP statuses (75), ranges of them ("500-599"), "timeout", "signal", and names
    of signals ("SIGKILL"); an empty `only` is any end.
    """
    if any(_fits(each, reason, exit_code) for each in never):
        return False
    wanted = list(only)
    return not wanted or any(_fits(each, reason, exit_code) for each in wanted)


def _fits(condition: int | str, reason: str, exit_code: int | None) -> bool:
    if condition == "timeout":
        return reason == "timeout"
    if exit_code is None:
        return False
    first, last = bounds(condition)
    return first <= exit_code <= last


def bounds(condition: int | str) -> tuple[int, int]:
    """The lowest and the highest exit code of a condition; raises `ValueError` where it is none."""
    if isinstance(condition, int):
        return condition, condition
    if condition == "signal":
        return -64, -1
    if condition.startswith("SIG"):
        try:
            number = -signal.Signals[condition].value
        except KeyError:
            raise ValueError(f"There is no signal {condition}.") from None
        return number, number
    first, sign, last = condition.partition("-")
    low, high = int(first), int(last) if sign else int(first)
    if low > high:
        raise ValueError(f"{condition} ends before it begins.")
    return low, high
