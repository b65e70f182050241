"""Strategies: every slot is used, spread and stickiness are as promised, and each ranks by what it is named for."""

from collections import Counter
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_app import balance
from workers_app.balance import BUILT_IN, Candidate, Use, Wish, choose, strategies

names = st.sampled_from(sorted(BUILT_IN))
slots = st.integers(1, 20).flatmap(lambda most: st.tuples(st.integers(0, most), st.just(most)))


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    drawn = draw(st.lists(st.tuples(slots, st.integers(0, 9)), max_size=12))
    return [Candidate(number, free, most, last, f"w{number}") for number, ((free, most), last) in enumerate(drawn)]


def run(strategy: str, fleet: list[Candidate], count: int) -> list[int]:
    """Choose `count` times, as the dispatcher does."""
    chosen = []
    for turn in range(count):
        candidate = choose(strategy, fleet, Wish(f"task-{turn}", f"run-{turn}"))
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
    chosen = choose(strategy, fleet, Wish("task"))
    assert (chosen.id if chosen else None) == expected


def test_unknown_strategy() -> None:
    with pytest.raises(KeyError):
        choose("best", [Candidate(1, 1, 1, 0)], Wish("task"))


@given(names, fleets())
def test_every_slot_is_used_and_no_more(strategy: str, fleet: list[Candidate]) -> None:
    free = {each.id: each.free for each in fleet if each.free}
    assert Counter(run(strategy, fleet, sum(free.values()) + 3)) == free


@pytest.mark.parametrize("strategy", ["least_loaded", "round_robin", "least_cpu", "least_memory"])
@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 100))
def test_equal_workers_share_evenly(strategy: str, workers: int, most: int, count: int) -> None:
    fleet = [Candidate(number, most, most, 0) for number in range(workers)]
    run(strategy, fleet, count)
    used = [each.max_tasks - each.free for each in fleet]
    assert max(used) - min(used) <= 1


@given(names, fleets(), st.randoms(use_true_random=False))
def test_order_does_not_matter(strategy: str, fleet: list[Candidate], random: object) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(strategy, fleet, Wish("task")) == choose(strategy, shuffled, Wish("task"))


# What each is named for


def fleet_of(number: int, most: int = 1000, **fields: Any) -> list[Candidate]:
    return [Candidate(n, most, most, 0, f"w{n:02}", **fields) for n in range(number)]


def chosen(strategy: str, fleet: list[Candidate], wish: Wish) -> int:
    found = choose(strategy, fleet, wish)
    assert found
    return found.id


def counted(strategy: str, fleet: list[Candidate], runs: int) -> Counter[int]:
    return Counter(chosen(strategy, fleet, Wish("task", f"run-{n}")) for n in range(runs))


def test_chance_is_the_same_for_all():
    counts = counted("random", fleet_of(5), 5000)
    assert all(850 < counts[n] < 1150 for n in range(5))  # a thousand each, and more than five deviations


def test_chance_heeds_weights():
    fleet = [*fleet_of(1, labels={"weight": "3"}), Candidate(7, 9, 9, 0, "plain")]
    counts = counted("weighted", fleet, 4000)
    assert 2850 < counts[0] < 3150


@pytest.mark.parametrize("weight", ["", "0", "-1", "nan", "inf", "much"])
def test_a_weight_that_is_none_is_one(weight: str):
    assert Candidate(1, 1, 1, 0, labels={"weight": weight}).weight == 1


def test_a_retry_tries_its_luck_again():
    fleet = fleet_of(20)
    assert len({chosen("random", fleet, Wish("task", "run", attempt)) for attempt in range(1, 20)}) > 5


@given(st.integers(2, 12), st.integers(0, 11), st.lists(st.text(), min_size=1, max_size=30, unique=True))
def test_tasks_stick_to_their_worker_unless_it_leaves(number: int, leaving: int, tasks: list[str]):
    fleet = fleet_of(number)
    left = [each for each in fleet if each.id != leaving]
    for task in tasks:
        before = chosen("consistent_hash", fleet, Wish(task))
        after = chosen("consistent_hash", left, Wish(task))
        assert before in (after, leaving)


def test_few_tasks_move_when_a_worker_joins():
    tasks = [Wish(f"task-{n}") for n in range(2000)]
    before = [chosen("consistent_hash", fleet_of(9), wish) for wish in tasks]
    after = [chosen("consistent_hash", fleet_of(10), wish) for wish in tasks]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {9}
    assert 130 < len(moved) < 270  # a tenth


def test_a_full_worker_is_passed_over_and_returned_to():
    fleet, wish = fleet_of(4), Wish("task")
    home = chosen("consistent_hash", fleet, wish)
    fleet[home].free = 0
    assert chosen("consistent_hash", fleet, wish) != home
    fleet[home].free = 1
    assert chosen("consistent_hash", fleet, wish) == home


@pytest.mark.parametrize(
    ("strategy", "expected"), [("least_frequently_used", 1), ("least_recently_used", 0), ("round_robin", 2)]
)
def test_what_a_worker_has_had_of_the_task_counts(strategy: str, expected: int):
    fleet = fleet_of(3)
    fleet[0].last_assigned = fleet[1].last_assigned = 5
    wish = Wish("task", uses={0: Use(9, 10.0), 1: Use(2, 30.0), 2: Use(5, 20.0)})
    assert chosen(strategy, fleet, wish) == expected


def test_a_worker_that_has_had_none_of_the_task_is_next():
    for strategy in ("least_frequently_used", "least_recently_used"):
        assert chosen(strategy, fleet_of(3), Wish("task", uses={0: Use(1, 1.0), 2: Use(1, 1.0)})) == 1


def test_each_further_attempt_goes_to_the_next():
    assert [chosen("failover", fleet_of(3), Wish("t", "r", attempt)) for attempt in (1, 2, 3, 4)] == [0, 1, 2, 0]


def test_the_first_that_is_idle():
    fleet = fleet_of(3, 4)
    fleet[0].free, fleet[1].free = 3, 4
    assert chosen("busy_over", fleet, Wish("task")) == 1
    fleet[1].free = fleet[2].free = 2
    assert chosen("busy_over", fleet, Wish("task")) == 0


def test_first_and_last():
    fleet = fleet_of(3, 2)
    assert (chosen("first", fleet, Wish("t")), chosen("last", fleet, Wish("t"))) == (0, 2)
    fleet[0].free = fleet[2].free = 0
    assert (chosen("first", fleet, Wish("t")), chosen("last", fleet, Wish("t"))) == (1, 1)


@pytest.mark.parametrize(("strategy", "field"), [("least_cpu", "cpu_percent"), ("least_memory", "memory_percent")])
def test_the_machine_that_is_used_least(strategy: str, field: str):
    fleet = fleet_of(4, 4)
    for each, percent in zip(fleet, (None, 95.0, 21.0, 28.0), strict=True):
        setattr(each, field, percent)
    fleet[2].free = 1
    assert chosen(strategy, fleet, Wish("task")) == 3  # nearly the same, and less loaded
    fleet[2].free = fleet[3].free = 0
    assert chosen(strategy, fleet, Wish("task")) == 1


# Preferred labels


def test_workers_with_more_of_the_preferred_labels_go_first():
    fleet = [
        Candidate(1, 4, 4, 0, "a"),
        Candidate(2, 1, 4, 0, "b", {"disk": "ssd"}),
        Candidate(3, 1, 4, 9, "c", {"disk": "ssd", "zone": "eu"}),
    ]
    preferred = {"disk": "ssd", "zone": "eu"}
    order = []
    while found := choose("least_loaded", fleet, Wish("t"), preferred):
        found.free -= 1
        order.append(found.id)
    assert order == [3, 2, 1, 1, 1, 1]


# Strategies of others


def heaviest(candidates: list[Candidate], wish: Wish) -> Candidate:
    return max(candidates, key=lambda each: each.max_tasks)


def test_a_package_adds_its_own_and_replaces_none(monkeypatch: pytest.MonkeyPatch):
    named = [EntryPoint(name, f"{__name__}:heaviest", "scheduler.strategies") for name in ("heaviest", "first")]
    monkeypatch.setattr(balance, "entry_points", lambda group: named if group == "scheduler.strategies" else [])
    strategies.cache_clear()
    try:
        fleet = [Candidate(1, 1, 1, 0, "a"), Candidate(2, 1, 9, 0, "b")]
        assert (chosen("heaviest", fleet, Wish("t")), chosen("first", fleet, Wish("t"))) == (2, 1)
    finally:
        strategies.cache_clear()
