"""The fields of a cron expression: each one's text in, the numbers it means out, or why it cannot be read.

Two dialects. `debian`, the default, has five fields (minute hour day month weekday), or six with seconds first; days of
the week are 0-7, and 0 and 7 are Sunday. `quartz` has seconds first and may end with a year; days of the week are 1-7
from Sunday on, and one of the two day fields must be `?`. Beyond their numbers, names, lists, ranges and steps:

    day      L last, L-3 third before the last, LW last working day, 15W the working day nearest to the 15th
    weekday  5L the last Friday, 1#2 the second Monday (Quartz: 6L, 2#2; L alone is Saturday)
    any      H a number of the task's own, H(0-7) in a range, H/15 and H(0-29)/10 steps from such a number

What belongs to the task alone comes from a hash of its key, so it stays the same for ever.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

from cronsim import CronSimError
from cronsim.cronsim import RANGES, Field

from tasks_app.schedule.errors import ScheduleError, refused

Dialect = Literal["debian", "quartz"]
DIALECTS: tuple[Dialect, ...] = ("debian", "quartz")
YEARS = range(1970, 2100)
"""What Quartz allows."""


@dataclass(frozen=True, slots=True)
class Days:
    """Which days match, by the month's own count and by the week."""

    days: frozenset[int]
    before_last: frozenset[int]
    """L is 0, L-3 is 3."""
    nearest: frozenset[int]
    """15W is 15."""
    last_working: bool
    weekdays: frozenset[int]
    """Sunday is 0."""
    nth: frozenset[tuple[int, int]]
    """The second Monday is (1, 2), the last Friday is (5, -1)."""
    both: bool
    """Day and weekday must match; else one of them is enough."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A cron expression that has been read."""

    texts: tuple[str, ...]
    """Second, minute, hour, day, month, weekday as Debian's dialect has them, without `?` and `H`."""
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: Days
    months: frozenset[int]
    years: frozenset[int] | None = field(default=None)
    """None: any."""

    @property
    def elapsed(self) -> bool:
        """It follows elapsed time: else it stands for fixed times of day."""
        return self.texts[1].startswith("*") or self.texts[2].startswith("*")


_NAMES = (
    ("second", 60, "0-59"),
    ("minute", 60, "0-59"),
    ("hour", 24, "0-23"),
    ("day", 31, "1-31, L (last day), L-3 (third before it), LW (last working day), 15W (working day nearest the 15th)"),
    ("month", 12, "1-12 or JAN-DEC"),
    ("weekday", 7, "0-7 (0 and 7 are Sunday) or SUN-SAT, 5L (last Friday) or 1#2 (second Monday)"),
)
"""Name, longest step, what is allowed."""
_HASHED = ((0, 59), (0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
"""From where to where a bare H goes; 28 days, as every month has them."""
_H = re.compile(r"H(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,2}))?")
_SPECIAL = {
    Field.DAY: re.compile(r"(?P<last>L)|L-(?P<before>\d|[12]\d|30)|(?P<working>LW)|(?P<nearest>[1-9]|[12]\d|3[01])W"),
    Field.DOW: re.compile(r"(?P<name>[0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(?:L|#(?P<number>[1-5]))"),
}
_YEARS = re.compile(r"(?:\*|(\d{4})(?:-(\d{4}))?)(?:/(\d{1,2}))?")


def read(text: str, dialect: Dialect, key: str) -> Fields:
    """The fields of `text`; `key` decides what `H` is. Raises `ScheduleError`."""
    parts = _split(text.upper(), dialect)
    years = _years(parts.pop()) if len(parts) == 7 else None
    if dialect == "quartz":
        _check_question_marks(parts)
        parts[Field.DOW] = _sunday_is_zero(parts[Field.DOW])
    for each in (Field.DAY, Field.DOW):
        parts[each] = "*" if parts[each] == "?" else parts[each]
    parts = [_own(each, part, key) for each, part in zip(Field, parts, strict=True)]
    return Fields(
        texts=tuple(parts),
        seconds=_items(Field.SECOND, parts[0])[0],
        minutes=_items(Field.MINUTE, parts[1])[0],
        hours=_items(Field.HOUR, parts[2])[0],
        days=_days(parts[3], parts[5]),
        months=_items(Field.MONTH, parts[4])[0],
        years=years,
    )


def _split(text: str, dialect: Dialect) -> list[str]:
    parts = text.split()
    if dialect == "quartz":
        if len(parts) not in (6, 7):
            raise refused(f"This has {len(parts)} fields: Quartz has 6 (seconds first), or 7 with a year at the end.")
        return parts
    if len(parts) == 7:
        raise refused(
            "7 fields are Quartz's form: set the dialect to quartz, or leave out the last one (year); "
            "weekday 0 or 7 is Sunday here."
        )
    if len(parts) not in (5, 6):
        raise refused(f"This has {len(parts)} fields: use 5 (minute hour day month weekday), or 6 with seconds first.")
    return ["0"] * (6 - len(parts)) + parts


def _check_question_marks(parts: list[str]) -> None:
    if (parts[Field.DAY] == "?") == (parts[Field.DOW] == "?"):
        raise refused('Quartz wants "?" as either the day or the weekday: write it where the field does not matter.')


def _sunday_is_zero(part: str) -> str:
    """Quartz's days of the week in Debian's numbers."""

    def lower(match: re.Match[str]) -> str:
        if match[0] not in "1234567":
            raise refused(f'The weekday field "{part}" cannot be read: Quartz has 1-7 (1 is Sunday) or SUN-SAT.')
        return str(int(match[0]) - 1)

    items = ("7" if item == "L" else item for item in part.split(","))
    return re.sub(r"(?<![\d#/])\d+", lower, ",".join(items))


def _own(each: Field, part: str, key: str) -> str:
    """`part` with numbers of the task's own for `H`."""
    return ",".join(_own_number(each, item, key) if item.startswith("H") else item for item in part.split(","))


def _own_number(each: Field, item: str, key: str) -> str:
    match = _H.fullmatch(item)
    if not match:
        raise _unreadable(each, item)
    low, high = (int(match[1]), int(match[2])) if match[1] else _HASHED[each]
    step = int(match[3]) if match[3] else None
    size = high - low + 1
    if low not in RANGES[each] or high not in RANGES[each] or size < 1 or step not in (None, *range(1, size + 1)):
        raise _unreadable(each, item)
    digest = hashlib.sha256(f"{_NAMES[each][0]} {key}".encode()).digest()
    number = low + int.from_bytes(digest[:8], "big") % (step or size)
    return f"{number}-{high}/{step}" if step else str(number)


def _items(each: Field, part: str) -> tuple[frozenset[int], list[re.Match[str]]]:
    """What a field lists: plain numbers, and special days."""
    name, longest, _ = _NAMES[each]
    items = part.split(",")
    special = [_SPECIAL[each].fullmatch(item) if each in _SPECIAL else None for item in items]
    plain = [item for item, match in zip(items, special, strict=True) if not match]
    try:
        numbers = {number for item in plain for number in each.parse(item) if isinstance(number, int)}
    except CronSimError:
        raise _unreadable(each, part) from None
    if not numbers <= set(RANGES[each]):  # cronsim takes L/2 for L
        raise _unreadable(each, part)
    if any(int(step) > longest for step in re.findall(r"/(\d+)", part)):
        raise refused(f'The {name} field "{part}" steps over {longest}: use a smaller step, or "@every 90m".')
    return frozenset(numbers), [match for match in special if match]


def _unreadable(each: Field, part: str) -> ScheduleError:
    name, _, allowed = _NAMES[each]
    hint = " Write * instead of ?." if "?" in part else ""
    how = f"use * or {allowed}; as lists 1,3, upward ranges 1-3, steps */2, or H.{hint}"
    return refused(f'The {name} field "{part}" cannot be read: {how}')


def _days(day: str, weekday: str) -> Days:
    days, by_month = _items(Field.DAY, day)
    weekdays, by_week = _items(Field.DOW, weekday)
    before = (0 if match["last"] else int(match["before"]) for match in by_month if match["last"] or match["before"])
    return Days(
        days=days,
        before_last=frozenset(before),
        nearest=frozenset(int(match["nearest"]) for match in by_month if match["nearest"]),
        last_working=any(match["working"] for match in by_month),
        weekdays=frozenset(number % 7 for number in weekdays),
        nth=frozenset((Field.DOW.int(match["name"]) % 7, int(match["number"] or -1)) for match in by_week),
        both=day.startswith("*") or weekday.startswith("*"),
    )


def _years(part: str) -> frozenset[int] | None:
    if part == "*":
        return None
    return frozenset().union(*map(_year_range, part.split(",")))


def _year_range(item: str) -> range:
    match = _YEARS.fullmatch(item)
    low = int(match[1] or YEARS[0]) if match else 0
    high = int(match[2] or (YEARS[-1] if match[3] or not match[1] else low)) if match else 0
    step = int(match[3] or 1) if match else 0
    if low not in YEARS or high not in YEARS or high < low or not step:
        raise refused(f'The year field "{item}" cannot be read: use * or {YEARS[0]}-{YEARS[-1]}, lists, ranges, steps.')
    return range(low, high + 1, step)
