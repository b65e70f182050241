"""Takes measures one after the other, each in a world of its own; figures go to a file, a table to the person."""

import json
import shutil
import time
from pathlib import Path
from typing import TextIO

from services import ServerError
from tests.chaos.measures.base import Figures, Measure, Setting
from tests.chaos.measures.registry import wanted
from tests.chaos.measures.report import Row, judge, table
from tests.chaos.nemesis import NotInTime
from tests.chaos.traffic import FAILURES

FAILED = (NotInTime, AssertionError, ServerError, *FAILURES)
"""A measure that could not be taken has failed, and the others are taken all the same."""


def take(names: list[str], brokers: list[str], scale: float, folder: Path, figures: TextIO) -> int:
    """1 if a figure is worse than it must be, or could not be taken."""
    rows: list[Row] = []
    for broker in brokers:
        for measure in wanted(names):
            print(f"postgresql + {broker}: {measure.about}", flush=True)
            rows += _one(measure, Setting(broker, scale, folder / f"{measure.name}-{broker}", _say), figures)
    print(table(rows))
    return int(any(row.verdict == "MISSED" for row in rows))


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _one(measure: Measure, setting: Setting, figures: TextIO) -> list[Row]:
    begun = time.monotonic()
    shutil.rmtree(setting.folder, ignore_errors=True)
    try:
        found: Figures = _rounded(measure.take(setting))
    except FAILED as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    line = {"measure": measure.name, "broker": setting.broker, "scale": setting.scale, **found}
    print(json.dumps(line), file=figures, flush=True)
    _say(f"{json.dumps(found)}; {time.monotonic() - begun:.0f} s")
    rows = judge(measure, f"{measure.name}, {setting.broker}", found)
    if not any(row.verdict == "MISSED" for row in rows):
        shutil.rmtree(setting.folder, ignore_errors=True)
    return rows


def _rounded(figures: Figures) -> Figures:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
