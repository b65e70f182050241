"""The language of conditions: what it can say, and that nothing else gets through."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.expressions import ExpressionError, check, evaluate

NAMES: dict[str, Any] = {
    "status": "succeeded",
    "result": {"rows": 3, "files": ["a.csv", "b.csv"], "deep": {"x": None}, "odd key": 1},
    "params": {},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('status == "succeeded" and result.rows > 0', True),
        ("result.rows > 3 or not params.force", True),
        ("1 < result.rows <= 3", True),
        ('"a.csv" in result.files', True),
        ('"x" not in result.files', True),
        ('"x" in result.nothing', False),
        ("result.files[0]", "a.csv"),
        ("result.files[-1]", "b.csv"),
        ("result.files[7]", None),
        ('result["odd key"]', 1),
        ("result.deep.x.y.z", None),
        ("status.upper", None),
        ("len(result.files) * 2 + 1", 5),
        ("7 // 2 + 7 % 2 - 7 / 2", 0.5),
        ("-result.rows", -3),
        ('"many" if result.rows > 2 else "few"', "many"),
        ('{"n": result.rows, "all": [1, true, null]}', {"n": 3, "all": [1, True, None]}),
        ("result.files + [status]", ["a.csv", "b.csv", "succeeded"]),
        ('lower("ABC") + str(5)', "abc5"),
        ("range(3)", [0, 1, 2]),
        ("sum(range(4)) + max(1, 2) + min([3, 4]) + int(2.7)", 13),
        ("None == null and True == true", True),
    ],
)
def test_what_it_says(text: str, value: Any):
    check(text, set(NAMES))
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "1 +",
        "x = 1",
        "import os",
        "__import__('os')",
        "().__class__",
        "open('/etc/passwd')",
        "len.__self__",
        "[x for x in range(9)]",
        "lambda: 1",
        "f'{status}'",
        "2 ** 9",
        "1 << 99",
        "b'x'",
        "1j",
        "...",
        "(1, 2)",
        "{1, 2}",
        "{**result}",
        "max(*result.files)",
        "int('1', base=2)",
        "result.rows()",
        "result.files[0:1]",
        "(x := 1)",
        "~1",
        "status is null",
        "1" * 1001,
        "not " * 60 + "1",
    ],
)
def test_what_is_no_part_of_it_is_refused_when_it_is_written(text: str):
    with pytest.raises(ExpressionError):
        check(text, set(NAMES))


def test_an_unknown_name_is_named_with_those_there_are():
    with pytest.raises(ExpressionError, match=r"There is no “resul” here; there are: params, result, status\."):
        check("resul.rows", set(NAMES))


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "status + 1",
        "status * 1000000000",
        "'%999999999d' % 5",
        "999999999 * 999999999",
        "len(result.rows)",
        "result.rows < status",
        "int('x')",
        "range(10000000)",
        "sum(result.files)",
        "-status",
        "nowhere.x",
    ],
)
def test_what_cannot_be_evaluated_says_why(text: str):
    with pytest.raises(ExpressionError):
        evaluate(text, NAMES)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_json_is_an_expression_of_itself(value: Any):
    assert evaluate(json.dumps(value, ensure_ascii=False), {}) == value


@given(st.text(max_size=40), VALUES)
def test_nothing_but_its_own_error_gets_out(text: str, value: Any):
    with suppress(ExpressionError):
        evaluate(text, {"result": value})
