from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_app.balance import STRATEGIES, Candidate, choose

names = st.sampled_from(sorted(STRATEGIES))
slots = st.integers(1, 20).flatmap(lambda most: st.tuples(st.integers(0, most), st.just(most)))


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    drawn = draw(st.lists(st.tuples(slots, st.integers(0, 9)), max_size=12))
    return [Candidate(number, free, most, last) for number, ((free, most), last) in enumerate(drawn)]


def run(strategy: str, fleet: list[Candidate], count: int) -> list[int]:
    """Choose `count` times, as the dispatcher does."""
    chosen = []
    for turn in range(count):
        candidate = choose(strategy, fleet, f"task-{turn}")
        if candidate:
            candidate.free -= 1
            candidate.last_assigned = 10.0 + turn
            chosen.append(candidate.id)
    return chosen


@pytest.mark.parametrize(
    ("strategy", "fleet", "expected"),
    [
        ("least_loaded", [Candidate(1, 1, 4, 0), Candidate(2, 2, 4, 5)], 2),  # half is less than three quarters
        ("least_loaded", [Candidate(1, 5, 10, 0), Candidate(2, 2, 2, 5)], 2),  # the share counts, not the number
        ("least_loaded", [Candidate(1, 2, 4, 7), Candidate(2, 1, 2, 5)], 2),  # equal: longest ago
        ("least_loaded", [Candidate(2, 2, 4, 5), Candidate(1, 1, 2, 5)], 1),  # equal: id
        ("round_robin", [Candidate(1, 4, 4, 7), Candidate(2, 1, 4, 5)], 2),
        ("round_robin", [Candidate(2, 4, 4, 5), Candidate(1, 1, 4, 5)], 1),
        ("round_robin", [Candidate(1, 0, 4, 0), Candidate(2, 1, 4, 5)], 2),  # full
        ("round_robin", [Candidate(1, 0, 4, 0), Candidate(2, -1, 4, 5)], None),
        ("least_loaded", [Candidate(1, 0, 4, 0), Candidate(2, 0, 0, 5)], None),
        ("least_loaded", [], None),
    ],
)
def test_choice(strategy: str, fleet: list[Candidate], expected: int | None) -> None:
    chosen = choose(strategy, fleet, "task")
    assert (chosen.id if chosen else None) == expected


def test_unknown_strategy() -> None:
    with pytest.raises(KeyError):
        choose("best", [Candidate(1, 1, 1, 0)], "task")


@given(names, fleets())
def test_every_slot_is_used_and_no_more(strategy: str, fleet: list[Candidate]) -> None:
    free = {each.id: each.free for each in fleet if each.free}
    assert Counter(run(strategy, fleet, sum(free.values()) + 3)) == free


@given(names, st.integers(1, 10), st.integers(1, 10), st.integers(0, 100))
def test_equal_workers_share_evenly(strategy: str, workers: int, most: int, count: int) -> None:
    fleet = [Candidate(number, most, most, 0) for number in range(workers)]
    run(strategy, fleet, count)
    used = [each.max_tasks - each.free for each in fleet]
    assert max(used) - min(used) <= 1


@given(names, fleets(), st.randoms(use_true_random=False))
def test_order_does_not_matter(strategy: str, fleet: list[Candidate], random: object) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(strategy, fleet, "task") == choose(strategy, shuffled, "task")
