"""How long a failed run waits before its next attempt. Pure: the caller brings the random number.

The wait grows exponentially and is spread by *full jitter*, which the AWS architecture blog
("Exponential Backoff And Jitter", 2015) measured to cause the least work when many clients fail together:
uniform between 0 and the bound. Plain full jitter may also wait almost nothing, which is a poor answer to a
failure, so job queues keep a floor (Oban: 15 s plus, Sidekiq: 15 s plus, River: 90 % of the wait). Here the
floor is half the base: runs that failed together are spread from the first retry on, and none comes back at once.
"""

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
