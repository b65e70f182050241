"""The rules of dependencies as a table, and that each verdict stands once it is given."""

from itertools import combinations_with_replacement, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.flow.plan import Cycle, Parent, Plan, Step, decoded, ordered
from tasks_app.flow.rules import Outcome, Rule, Verdict, decide

LETTERS = {"o": Outcome.OPEN, "S": Outcome.SUCCEEDED, "F": Outcome.FAILED, "C": Outcome.CANCELLED, "K": Outcome.SKIPPED}

# For each set of outcomes that parents have, whether the child runs (r), is skipped (-) or waits (.), by rule:
#        all_success  all_done  any_success  any_failed  none_failed
TABLE = """
S        r            r         r            -           r
F        -            r         -            r           -
C        -            r         -            -           -
K        -            r         -            -           -
SF       -            r         r            r           -
SC       -            r         r            -           -
SK       -            r         r            -           r
FC       -            r         -            r           -
FK       -            r         -            r           -
CK       -            r         -            -           -
SFC      -            r         r            r           -
SFK      -            r         r            r           -
SCK      -            r         r            -           -
FCK      -            r         -            r           -
SFCK     -            r         r            r           -
o        .            .         .            .           .
oS       .            .         r            .           .
oF       -            .         .            r           -
oC       -            .         .            .           -
oK       -            .         .            .           .
oSF      -            .         r            r           -
oSC      -            .         r            .           -
oSK      -            .         r            .           .
oFC      -            .         .            r           -
oFK      -            .         .            r           -
oCK      -            .         .            .           -
oSFC     -            .         r            r           -
oSFK     -            .         r            r           -
oSCK     -            .         r            .           -
oFCK     -            .         .            r           -
oSFCK    -            .         r            r           -
"""
RULES = [Rule.ALL_SUCCESS, Rule.ALL_DONE, Rule.ANY_SUCCESS, Rule.ANY_FAILED, Rule.NONE_FAILED]
VERDICTS = {"r": Verdict.RUN, "-": Verdict.SKIP, ".": Verdict.WAIT}
ROWS = [line.split() for line in TABLE.split("\n") if line]


def test_the_table_is_whole():
    assert len({frozenset(row[0]) for row in ROWS}) == len(ROWS) == 2**5 - 1


@pytest.mark.parametrize(("letters", "rule", "verdict"), [
    (row[0], rule, VERDICTS[mark]) for row in ROWS for rule, mark in zip(RULES, row[1:], strict=True)
])  # fmt: skip
def test_each_place_of_the_table_for_any_number_of_parents(letters: str, rule: Rule, verdict: Verdict):
    for extra in range(3):
        for more in combinations_with_replacement(letters, extra):
            assert decide(rule, [LETTERS[letter] for letter in (*letters, *more)]) == verdict


@pytest.mark.parametrize("rule", RULES)
def test_without_parents_it_runs(rule: Rule):
    assert decide(rule, []) == Verdict.RUN


@pytest.mark.parametrize("rule", RULES)
def test_a_verdict_stands_however_the_others_end(rule: Rule):
    for parents in product(LETTERS.values(), repeat=3):
        early = decide(rule, parents)
        ends = [list(LETTERS.values())[1:] if parent == Outcome.OPEN else [parent] for parent in parents]
        finals = {decide(rule, end) for end in product(*ends)}
        assert Verdict.WAIT not in finals
        assert early == Verdict.WAIT or finals == {early}


@given(st.dictionaries(st.integers(0, 20), st.frozensets(st.integers(0, 25), max_size=4), max_size=15))
def test_order_or_a_cycle_that_is_one(parents: dict[int, frozenset[int]]):
    try:
        order = ordered(parents)
    except Cycle as cycle:
        members = cycle.members
        for one, following in zip(members, [*members[1:], members[0]], strict=True):
            assert one in parents[following]
    else:
        assert sorted(order) == sorted(parents)
        for key, those in parents.items():
            assert all(order.index(each) < order.index(key) for each in those if each in parents)


def test_a_plan_comes_back_as_it_was_and_knows_what_is_below():
    plan = Plan((
        Step(1, "a"),
        Step(2, "b", parents=(Parent(0),)),
        Step(3, "c", Rule.ANY_FAILED, (Parent(0, "result"),), {"x": "params.y"}),
        Step(4, "d", parents=(Parent(1), Parent(2))),
    ))  # fmt: skip
    assert decoded(plan.encoded()) == plan
    assert plan.children == ((1, 2), (3,), (3,), ())
    assert plan.below([1]) == {1, 3}
    assert plan.below([0]) == {0, 1, 2, 3}
