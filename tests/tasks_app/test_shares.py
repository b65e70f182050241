"""Sharing slots: all are given out, nobody who has less gets nothing while others get more."""

from hypothesis import given
from hypothesis import strategies as st

from tasks_app.shares import Claimant, shares

CLAIMANTS = st.dictionaries(
    st.integers(1, 50), st.builds(Claimant, active=st.integers(0, 500), weight=st.integers(1, 100)), max_size=12
)


@given(st.integers(0, 1000), CLAIMANTS)
def test_all_slots_are_shared_out(slots: int, claimants: dict[int, Claimant]):
    found = shares(slots, claimants)
    assert found.keys() == claimants.keys()
    assert sum(found.values()) == (slots if claimants else 0)
    assert min(found.values(), default=0) >= 0


@given(st.integers(0, 1000), CLAIMANTS)
def test_who_gets_one_has_no_more_than_others_but_for_rounding(slots: int, claimants: dict[int, Claimant]):
    found = shares(slots, claimants)
    for one, its in claimants.items():
        for other, others in claimants.items():
            if found[one]:
                before = (its.active + found[one] - 1) / its.weight
                assert before <= (others.active + found[other] + 1) / others.weight + 1e-6


def test_weights_are_proportions():
    assert shares(30, {1: Claimant(0, 1), 2: Claimant(0, 2)}) == {1: 10, 2: 20}


def test_who_has_much_already_waits_for_the_others():
    assert shares(10, {1: Claimant(100, 1), 2: Claimant(0, 1), 3: Claimant(4, 1)}) == {1: 0, 2: 7, 3: 3}


def test_one_slot_goes_to_whoever_has_least():
    assert shares(1, {1: Claimant(3, 1), 2: Claimant(2, 1)}) == {1: 0, 2: 1}
