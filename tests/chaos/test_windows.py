import pytest

from tests.chaos.history import Fault, Plan
from tests.chaos.windows import DEFAULT, complete_deadline, deadline, nominal_times


def faults(*spans: tuple[float, float]) -> list[Fault]:
    return [Fault("freeze", "", begin, end) for begin, end in spans]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 102),
        ([(102.1, 110)], 102),  # begins after the deadline
        ([(102, 110)], 140),
        ([(90, 95)], 130),  # ended before, and is still felt
        ([(60, 70)], 130),
        ([(60, 69.9)], 102),  # has been forgotten
        ([(90, 200)], 230),
        ([(101, 110), (139, 150)], 180),  # the second begins before the deadline that the first gives
        ([(139, 150), (101, 110)], 180),
        ([(101, 110), (140.1, 150)], 140),
        ([(101, 150), (110, 120)], 180),  # the first outlasts the second
        ([(90, 95), (129, 140)], 170),
    ],
)
def test_deadline_of_what_is_due_at_100(spans, expected) -> None:
    assert deadline(100, faults(*spans), DEFAULT) == expected


@pytest.mark.parametrize(
    ("failures", "spans", "expected"),
    [
        (0, [], 102),
        (2, [], 122),
        (0, [(106.9, 108)], 138),  # it may have begun at 102 and been hit while it worked
        (0, [(107.1, 108)], 102),
        (1, [(106.9, 108)], 148),
        (1, [(116.9, 118)], 158),
    ],
)
def test_deadline_of_the_execution_that_completes(failures, spans, expected) -> None:
    assert complete_deadline(100, failures, faults(*spans), DEFAULT) == expected


@pytest.mark.parametrize(
    ("every", "first", "last", "expected"),
    [
        (10.0, 10.0, 30.0, [10, 20, 30]),
        (10.0, 10.1, 29.9, [20]),
        (10.0, 11.0, 19.0, []),
        (2.5, 1_800_000_001.0, 1_800_000_006.0, [1_800_000_002.5, 1_800_000_005.0]),
        (None, 0.0, 100.0, []),
    ],
)
def test_nominal_times(every, first, last, expected) -> None:
    assert nominal_times(Plan("task", every, first, last), DEFAULT) == expected
