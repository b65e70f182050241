"""The examples of `docs/schedules.md` are true."""

import re
from pathlib import Path

import pytest

from tasks_app.schedule import ScheduleError, Spec, read
from tests.tasks_app.schedule.test_dialects import times

TEXT = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text()
EXAMPLES = re.findall(r"^\| `(.+?)` \| ([\w/]+) \| (\d{4}-\S+ \d\d:\d\d) \| (.+) \|$", TEXT, re.MULTILINE)
REFUSED = re.findall(r"^\| `(.+?)` \| (.+?) \|$", TEXT[TEXT.index("| refused |") :].split("\n\n")[0], re.MULTILINE)
CHOICES = [{}, {"dst_gap": "skip", "dst_overlap": "second"}, {"dst_gap": "run_after", "dst_overlap": "both"}]
QUARTZ = TEXT[TEXT.index("| quartz |") :].split("\n\n")[0]


def test_there_are_examples():
    assert len(EXAMPLES) >= 30
    assert len(REFUSED) == 6
    assert len({zone for _, zone, _, fires in EXAMPLES if " | " in fires}) >= 6


@pytest.mark.parametrize(("schedule", "zone", "after", "told"), EXAMPLES)
def test_an_example(schedule: str, zone: str, after: str, told: str):
    dialect = "quartz" if f"`{schedule}`" in QUARTZ else "debian"
    for column, choice in zip(told.split(" | "), CHOICES, strict=False):
        expected = [f"{time}:00" for time in column.split(", ")]
        found = times(Spec(schedule, zone, dialect=dialect, **choice), after, len(expected))
        assert [" ".join(row.split()[:2]) for row in found] == expected, choice


@pytest.mark.parametrize(("schedule", "why"), REFUSED)
def test_what_is_refused(schedule: str, why: str):
    with pytest.raises(ScheduleError, match=why):
        read((Spec(schedule),), "")
