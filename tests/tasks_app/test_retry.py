import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.retry import delay, may_retry

seconds = st.floats(0, 1e6)
jitters = st.floats(0, 1, exclude_max=True)
failures = st.integers(1, 10**6) | st.just(10**400)


@pytest.mark.parametrize(
    ("failed", "base", "cap", "jitter", "expected"),
    [
        (1, 10, 300, 0.0, 5),
        (1, 10, 300, 0.5, 7.5),
        (2, 10, 300, 0.0, 5),
        (2, 10, 300, 0.6, 14),
        (3, 10, 300, 0.5, 22.5),
        (6, 10, 300, 0.0, 5),
        (6, 10, 300, 0.5, 152.5),  # the cap: 10 * 2 ** 5 is more
        (1, 10, 4, 0.0, 2),  # the cap is below the base
        (1, 10, 4, 0.5, 3),
        (9, 0, 300, 0.9, 0),
        (9, 10, 0, 0.9, 0),
        (10_000, 10, 300, 0.5, 152.5),
        (10_000, 0, 300, 0.5, 0),
    ],
)
def test_delay(failed: int, base: float, cap: float, jitter: float, expected: float) -> None:
    assert delay(failed, base=base, cap=cap, jitter=jitter) == pytest.approx(expected)


def test_factor_one_is_constant() -> None:
    assert {delay(n, base=10, factor=1, cap=300, jitter=0.5) for n in range(1, 50)} == {7.5}


@given(failures, seconds, st.floats(1, 10), seconds, jitters)
def test_delay_stays_within_its_bounds(failed: int, base: float, factor: float, cap: float, jitter: float) -> None:
    assert min(base, cap) / 2 <= delay(failed, base=base, factor=factor, cap=cap, jitter=jitter) <= cap


@given(failures, seconds, seconds, jitters)
def test_delay_never_shrinks_with_more_failures(failed: int, base: float, cap: float, jitter: float) -> None:
    first = delay(failed, base=base, cap=cap, jitter=jitter)
    assert first <= delay(failed + 1, base=base, cap=cap, jitter=jitter)


@given(seconds, seconds, jitters, jitters)
def test_delay_grows_with_jitter(base: float, cap: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert delay(4, base=base, cap=cap, jitter=low) <= delay(4, base=base, cap=cap, jitter=high)


def test_delay_needs_a_failure() -> None:
    with pytest.raises(ValueError, match="first failure"):
        delay(0, base=1, cap=1, jitter=0)


@pytest.mark.parametrize(("failed", "most", "expected"), [(1, 1, False), (1, 2, True), (2, 2, False), (9, 3, False)])
def test_may_retry(failed: int, most: int, expected: bool) -> None:
    assert may_retry(failed, most) is expected
