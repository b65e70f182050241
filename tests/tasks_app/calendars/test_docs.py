"""The examples of `docs/calendars.md` are true."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks_app.calendars import CalendarError, Closures, Rules, read, shift_of
from tasks_app.schedule import Spec
from tasks_app.schedule import read as read_schedule

TEXT = (Path(__file__).parents[3] / "docs" / "calendars.md").read_text()
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d"
TIMES = rf"({TIME}(?:, {TIME})*)"
LINES = re.findall(rf"^\| `(.+?)` \| {TIMES} \| {TIMES} \|$", TEXT, re.MULTILINE)
KINDS = re.findall(rf"^\| (\w+) \| (?:`(.+?)`)? ?\| (?:`(.+?)`)? ?\| {TIMES} \| {TIMES} \|$", TEXT, re.MULTILINE)
REFUSED = re.findall(r"^\| `(.+?)` \| (.+?) \|$", TEXT[TEXT.index("| refused |") :].split("\n\n")[0], re.MULTILINE)
MOVES = re.findall(rf"^\| `(\w+)` \| {TIMES} \|$", TEXT, re.MULTILINE)


def check(rules: Rules, closed: str, opened: str) -> None:
    calendar = read(rules)
    for text, is_open in ((closed, False), (opened, True)):
        for time in text.split(", "):
            assert (calendar.at(datetime.fromisoformat(time)) is None) is is_open, time


def test_there_are_examples():
    assert (len(LINES), len(KINDS), len(REFUSED), len(MOVES)) == (14, 6, 5, 3)


@pytest.mark.parametrize(("line", "closed", "opened"), LINES)
def test_a_line(line: str, closed: str, opened: str):
    check(Rules(line), closed, opened)


@pytest.mark.parametrize(("kind", "lines", "exceptions", "closed", "opened"), KINDS)
def test_a_kind(kind: str, lines: str, exceptions: str, closed: str, opened: str):
    check(Rules(lines.replace("; ", "\n"), exceptions, kind), closed, opened)  # type: ignore[arg-type]


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_what_is_refused(line: str, why: str):
    with pytest.raises(CalendarError, match=why):
        read(Rules(line))


@pytest.mark.parametrize(("to", "fires"), MOVES)
def test_a_move(to: str, fires: str):
    weekend = Rules("sat, sun")
    shift = None if to == "skip" else shift_of({"closed": weekend.closed, "to": to})
    plan = Closures((("weekend", read(weekend)),)).over(read_schedule((Spec("0 9 1,31 * *"),), "", shift))
    found = plan.fires(datetime(2027, 1, 27, tzinfo=UTC), 3)
    assert [f"{fire.at:%Y-%m-%d %H:%M}" for fire in found] == fires.split(", ")
