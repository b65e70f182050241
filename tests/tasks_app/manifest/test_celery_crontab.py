"""A crontab of Celery's as a schedule of ours fires when Celery fires."""

from datetime import UTC, datetime, timedelta

import pytest
from celery.schedules import crontab
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tasks_app.manifest.celery_crontab import schedule_of
from tasks_app.schedule import MAX_LENGTH
from tests.plans import parse

RANGES = {"minute": (0, 59), "hour": (0, 23), "day_of_month": (1, 31), "month_of_year": (1, 12), "day_of_week": (0, 6)}


def parts(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    pairs = st.tuples(numbers, numbers).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(1, high)
    return st.one_of(
        numbers.map(str),
        pairs,
        st.tuples(pairs, steps).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        steps.map(lambda step: f"*/{step}"),
    )


def texts(name: str) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.lists(parts(*RANGES[name]), min_size=1, max_size=3).map(",".join))


MOMENT = datetime(2024, 2, 28, tzinfo=UTC)
FIELDS = st.fixed_dictionaries({name: texts(name) for name in RANGES})
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


def fires_of_celery(schedule: crontab, after: datetime, number: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(number):
        start, delta, _ = schedule.remaining_delta(found[-1] if found else after, tz=UTC)
        found.append(start + delta)
    return found


@example(
    {"minute": "0", "hour": "9", "day_of_month": "8-14", "month_of_year": "*", "day_of_week": "mon"},
    MOMENT,
)
@example({"minute": "*/7", "hour": "22-2", "day_of_month": "*", "month_of_year": "*", "day_of_week": "fri-mon"}, MOMENT)
@settings(max_examples=500, deadline=None)
@given(FIELDS, MOMENTS)
def test_it_fires_when_celery_fires(fields: dict[str, str], after: datetime):
    try:
        schedule = crontab(**fields)
        expected = fires_of_celery(schedule, after, 5)
    except (ValueError, RuntimeError):
        assume(False)
    assume(expected[-1] - after < timedelta(days=5 * 365))
    text = schedule_of(schedule)
    if text is None:
        return
    assert len(text) <= MAX_LENGTH
    ours = parse(text, "UTC")
    found = [after]
    for _ in expected:
        found.append(ours.next_after(found[-1]))
    assert found[1:] == expected


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ("*/15 * * * *", "*/15 * * * *"),
        ("0,15,30,45 * * * *", "0,15,30,45 * * * *"),
        ("0 22-2 * * *", "0 0-2,22-23 * * *"),
        ("30 6 * jan-mar monday,5", "30 6 * 1-3 1,5"),
        ("0 0 * * fri-mon", "0 0 * * 0-1,5-6"),
        ("0 0 1 * *", "0 0 1 * *"),
        (
            "0 9 8-14 * mon",
            "DTSTART:20240101T000000 RRULE:FREQ=DAILY;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=MO;BYHOUR=9;BYMINUTE=0",
        ),
        (
            "0 9 1 6 1-5",
            "DTSTART:20240101T000000 RRULE:FREQ=DAILY;BYMONTH=6;BYMONTHDAY=1;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9;BYMINUTE=0",
        ),
        ("* * 8-14 * mon", None),
    ],
)
def test_examples(fields: str, text: str | None):
    assert schedule_of(crontab.from_string(fields)) == text
