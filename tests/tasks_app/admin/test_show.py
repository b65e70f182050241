"""How facts look."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks_app.admin import show

BEGIN = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "< 0.1 s"),
        (0.04, "< 0.1 s"),
        (2.34, "2.3 s"),
        (59.9, "59.9 s"),
        (125, "2 min 05 s"),
        (11_040, "3 h 04 min"),
    ],
)
def test_durations(seconds, text):
    assert show.duration(BEGIN, BEGIN + timedelta(seconds=seconds)) == text


def test_what_is_not_known_is_a_dash():
    assert show.duration(BEGIN, None) == show.moment(None) == show.pretty({}) == show.link(None) == "–"


def test_moments_are_in_utc():
    there = BEGIN.astimezone(timezone(timedelta(hours=9)))
    assert ">2026-01-31 09:00:00</time>" in show.moment(there)


def test_preformatted_text_is_escaped():
    assert show.pretty({"a": "<b>"}) == '<pre class="facts">{\n  &quot;a&quot;: &quot;&lt;b&gt;&quot;\n}</pre>'
