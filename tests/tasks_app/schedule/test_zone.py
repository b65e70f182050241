"""Zones as stretches of one offset."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tasks_app.schedule.zone import offset, stretch_at

SHORT = [
    ("Africa/Freetown", 1939),
    ("America/Noronha", 2000),
    ("Asia/Gaza", 2054),
    ("Africa/Tunis", 1943),
    ("Europe/Simferopol", 1944),
    ("Europe/Vienna", 1945),
    ("Africa/Casablanca", 2026),
    ("Australia/Lord_Howe", 2026),
    ("Pacific/Apia", 2011),
    ("UTC", 2026),
]
"""Years in which a clock was set twice within days, or by little or much."""


@pytest.mark.parametrize(("name", "year"), SHORT)
def test_stretches_are_those_of_each_hour(name: str, year: int) -> None:
    zone, hour = ZoneInfo(name), timedelta(hours=1)
    hours = [datetime(year, 1, 1) + n * hour for n in range(365 * 24)]
    offsets = [at.replace(tzinfo=UTC).astimezone(zone).utcoffset() for at in hours]
    assert [offset(zone, at) for at in hours] == offsets
    assert [stretch_at(zone, at).offset for at in hours] == offsets
    for at, (one, two) in zip(hours, pairwise(offsets), strict=False):
        assert (stretch_at(zone, at) == stretch_at(zone, at + hour)) is (one == two)
