"""A small, safe language for conditions and values: `result.rows > 0 and status == "succeeded"`. Pure.

It looks like Python and is parsed by Python's own parser, but nothing of Python can be reached: what is not listed
here is refused before anything is evaluated, and what an expression may cost is bounded.

- values: numbers, texts, `true`, `false`, `null`, lists, objects
- `and`, `or`, `not`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `… if … else …`
- `+`, `-`, `*`, `/`, `//`, `%` of numbers; `+` of texts and of lists
- `a.b`, `a["b"]`, `a[0]`, `a[-1]`: a part; where there is none, null
- `len`, `min`, `max`, `sum`, `int`, `float`, `str`, `lower`, `upper`, `range`
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

LONGEST = 1000
"""Characters of an expression."""
DEEPEST = 50
LARGEST = 10**15
"""The largest number in the midst of it."""
MOST = 100_000
"""Characters of a text, or members of a list, in the midst of it."""


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the message says where and why."""


Names = Mapping[str, Any]
_Part = Callable[[Any, Names], Any]


def check(text: str, names: set[str]) -> None:
    """Raise `ExpressionError` unless `text` can be read and uses no other names than `names`."""
    parts = list(ast.walk(_parsed(text)))
    called = {id(node.func) for node in parts if isinstance(node, ast.Call)}
    for node in parts:
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in names | _CONSTANTS.keys():
            known = ", ".join(sorted(names))
            raise ExpressionError(f"There is no “{node.id}” here; there are: {known}.")


def evaluate(text: str, names: Names) -> Any:
    """The value of `text` (plain JSON), with what `names` stand for; raises `ExpressionError`."""
    try:
        return _value(_parsed(text), names)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"“{text}”: {error}.") from None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    if not text.strip():
        raise ExpressionError("An expression must not be empty.")
    if len(text) > LONGEST:
        raise ExpressionError(f"An expression has at most {LONGEST:,} characters.")
    try:
        found = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"“{text}” cannot be read: {getattr(error, 'msg', error)}.") from None
    _refuse(found, DEEPEST)
    return found


def _refuse(node: ast.AST, depth: int) -> None:
    """Raise for anything that is not part of the language."""
    if depth <= 0:
        raise ExpressionError("An expression must not be so deep.")
    if isinstance(node, ast.expr) and type(node) not in _PARTS:
        raise ExpressionError(f"“{ast.unparse(node)}” is not part of the language.")
    if isinstance(node, ast.operator | ast.unaryop | ast.cmpop) and type(node) not in _OPERATORS:
        raise ExpressionError(f"The operator “{type(node).__name__}” is not part of the language.")
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | bool | None):
        raise ExpressionError(f"“{ast.unparse(node)}” is not part of the language.")
    if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
        raise ExpressionError(f"There is no function “{ast.unparse(node.func)}”; there are: {', '.join(_FUNCTIONS)}.")
    if isinstance(node, ast.Call) and node.keywords:
        raise ExpressionError("Functions take no named values here.")
    if isinstance(node, ast.Dict) and None in node.keys:
        raise ExpressionError("“**” is not part of the language.")
    for child in ast.iter_child_nodes(node):
        _refuse(child, depth - 1)


def _value(node: ast.expr, names: Names) -> Any:
    return _bounded(_PARTS[type(node)](node, names))


def _bounded(value: Any) -> Any:
    if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:
        raise ExpressionError("A number in it becomes too large.")
    if isinstance(value, str | list | dict) and len(value) > MOST:
        raise ExpressionError("A text or list in it becomes too large.")
    return value


def _name(node: Any, names: Names) -> Any:
    if node.id in names:
        return names[node.id]
    return _CONSTANTS[node.id] if node.id in _CONSTANTS else _missing(node.id)


def _missing(name: str) -> Any:
    raise ExpressionError(f"There is no “{name}” here.")


def _both(node: Any, names: Names) -> Any:
    """The last value looked at, as in Python."""
    stops = isinstance(node.op, ast.Or)
    value: Any = None
    for part in node.values:
        value = _value(part, names)
        if bool(value) is stops:
            break
    return value


def _compared(node: Any, names: Names) -> bool:
    left = _value(node.left, names)
    for sign, part in zip(node.ops, node.comparators, strict=True):
        right = _value(part, names)
        if not _OPERATORS[type(sign)](left, right):
            return False
        left = right
    return True


def _contains(left: Any, right: Any) -> bool:
    return right is not None and left in right


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, str | list) and type(left) is type(right) and len(left) + len(right) > MOST:
        raise ExpressionError("A text or list in it becomes too large.")
    return left + right


def _calculated(sign: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Numbers only: a text times a number would be a large text, `%` would format."""

    def calculate(left: Any, right: Any) -> Any:
        if not all(isinstance(each, int | float) for each in (left, right)):
            raise ExpressionError(f"{_shown(left)} and {_shown(right)} are not both numbers.")
        return sign(left, right)

    return calculate


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 40 else f"{text[:40]}…"


def _attribute(node: Any, names: Names) -> Any:
    return _part(_value(node.value, names), node.attr)


def _item(node: Any, names: Names) -> Any:
    return _part(_value(node.value, names), _value(node.slice, names))


def _part(whole: Any, key: Any) -> Any:
    if isinstance(whole, Mapping):
        return whole.get(key) if isinstance(key, str) else None
    if isinstance(whole, list | str) and isinstance(key, int) and -len(whole) <= key < len(whole):
        return whole[key]
    return None


def _called(node: Any, names: Names) -> Any:
    return _FUNCTIONS[node.func.id](*(_value(part, names) for part in node.args))


def _range(*bounds: Any) -> list[int]:
    found = range(*bounds)
    if len(found) > MOST:
        raise ExpressionError("A list in it becomes too large.")
    return list(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": len,
    "min": min,
    "max": max,
    "sum": sum,
    "int": int,
    "float": float,
    "str": _text,
    "lower": str.lower,
    "upper": str.upper,
    "range": _range,
}
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: _contains,
    ast.NotIn: lambda left, right: not _contains(left, right),
    ast.Add: _added,
    ast.Sub: _calculated(operator.sub),
    ast.Mult: _calculated(operator.mul),
    ast.Div: _calculated(operator.truediv),
    ast.FloorDiv: _calculated(operator.floordiv),
    ast.Mod: _calculated(operator.mod),
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
_PARTS: dict[type[ast.expr], _Part] = {
    ast.Constant: lambda node, names: node.value,
    ast.Name: _name,
    ast.List: lambda node, names: [_value(part, names) for part in node.elts],
    ast.Dict: lambda node, names: {
        _text(_value(key, names)): _value(value, names) for key, value in zip(node.keys, node.values, strict=True)
    },
    ast.BoolOp: _both,
    ast.Compare: _compared,
    ast.BinOp: lambda node, names: _OPERATORS[type(node.op)](
        _value(node.left, names),
        _value(node.right, names),
    ),
    ast.UnaryOp: lambda node, names: _OPERATORS[type(node.op)](_value(node.operand, names)),
    ast.IfExp: lambda node, names: _value(node.body if _value(node.test, names) else node.orelse, names),
    ast.Attribute: _attribute,
    ast.Subscript: _item,
    ast.Call: _called,
}
