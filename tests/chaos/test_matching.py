from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.matching import Target, match

moments = st.integers(0, 12)
targets = st.lists(st.builds(lambda nominal, length: Target(nominal, nominal + length), moments, moments), max_size=6)
starts = st.lists(moments, max_size=6)


def largest(targets: list[Target], starts: list[float]) -> int:
    """How many targets can have a start of their own, by trying all ways."""
    if not targets:
        return 0
    first, *others = targets
    fitting = [n for n, start in enumerate(starts) if first.nominal <= start <= first.deadline]
    without = [starts[:n] + starts[n + 1 :] for n in fitting]
    return max([largest(others, starts), *(1 + largest(others, rest) for rest in without)])


@given(targets, starts)
def test_as_many_as_there_can_be(targets: list[Target], starts: list[float]) -> None:
    assert len(match(targets, starts).pairs) == largest(targets, starts)


@given(targets, starts)
def test_each_has_its_own_in_its_window_and_none_is_forgotten(targets: list[Target], starts: list[float]) -> None:
    found = match(targets, starts)
    assert all(target.nominal <= start <= target.deadline for target, start in found.pairs)
    assert Counter([target for target, _ in found.pairs] + found.unmatched) == Counter(targets)
    assert Counter([start for _, start in found.pairs] + found.left) == Counter(starts)


@pytest.mark.parametrize(
    ("windows", "starts", "unmatched", "left"),
    [
        ([(0, 2), (10, 12)], [1, 11], [], []),
        ([(0, 2), (10, 12)], [1], [10], []),
        ([(0, 2), (10, 12)], [1, 1, 11], [], [1]),
        ([(0, 2), (10, 12)], [1, 2], [10], [2]),  # the second is nobody's, though there are as many as targets
        ([(0, 2)], [0], [], []),  # both edges are in the window
        ([(0, 2)], [2], [], []),
        ([(5, 7)], [4, 8], [5], [4, 8]),
        ([(0, 9), (1, 3)], [2, 8], [], []),  # the one that closes first goes first, though it opened later
        ([(0, 3), (1, 9)], [1, 8], [], []),
        ([(0, 2), (0, 2)], [1], [0], []),
        ([], [1], [], [1]),
        ([(0, 2)], [], [0], []),
    ],
)
def test_match(windows, starts, unmatched, left) -> None:
    found = match([Target(*window) for window in windows], starts)
    assert ([target.nominal for target in found.unmatched], found.left) == (unmatched, left)
