"""What is due on a closed day comes on the open day before or after it, at the same time of day."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.schedule import ScheduleError, Shift, Spec, read, words
from tasks_app.schedule.moved import MOST_DAYS, MovedTimes

DAY = timedelta(days=1)
START = date(2027, 1, 1)


class Listed:
    """Closed on days that are listed."""

    def __init__(self, closed: set[date]) -> None:
        self.closed = closed

    def day(self, day: date) -> str | None:
        return "closed" if day in self.closed else None


class Weekend:
    def day(self, day: date) -> str | None:
        return "weekend" if day.weekday() >= 5 else None


class Some:
    """Local times that are listed."""

    def __init__(self, walls: set[datetime]) -> None:
        self.walls = sorted(walls)

    def first_from(self, wall: datetime) -> datetime | None:
        return next((each for each in self.walls if each >= wall), None)


def moved(walls: set[datetime], days: Listed, step: int) -> set[datetime]:
    """The simplest telling of the rule: one day after the other until one is open."""
    found = set()
    for wall in walls:
        steps = (wall + number * step * DAY for number in range(MOST_DAYS + 1))
        found |= {next(at for at in steps if days.day(at.date()) is None)}
    return found


@settings(max_examples=500, deadline=None)
@given(
    st.sets(st.integers(0, 80), max_size=70),
    st.sets(st.tuples(st.integers(0, 80), st.sampled_from([0, 9, 17])), min_size=1, max_size=20),
    st.sampled_from(["next", "previous"]),
    st.integers(-10, 90),
    st.sampled_from([0, 8, 9, 10, 17, 23]),
)
def test_the_rule(closed: set[int], due: set[tuple[int, int]], to: str, day: int, hour: int) -> None:
    days = Listed({START + number * DAY for number in closed})
    walls = {datetime.combine(START + number * DAY, time(at)) for number, at in due}
    wall = datetime.combine(START + day * DAY, time(hour))
    expected = moved(walls, days, 1 if to == "next" else -1)
    times = MovedTimes(Some(walls), Shift(days, to))
    assert times.first_from(wall) == min((at for at in expected if at >= wall), default=None)


def fires(text: str, to: str, days: object, after: datetime, count: int) -> list[tuple[str, str]]:
    plan = read((Spec(text),), "", Shift(days, to))
    return [(fire.at.strftime("%a %m-%d %H:%M"), fire.mark) for fire in plan.fires(after, count)]


def test_weekends() -> None:
    after = datetime(2027, 1, 27, tzinfo=UTC)
    assert fires("0 9 1,31 * *", "next", Weekend(), after, 3) == [
        ("Mon 02-01 09:00", ""),  # The 31st of January is a Sunday: both come together.
        ("Mon 03-01 09:00", ""),
        ("Wed 03-31 09:00", ""),
    ]
    assert fires("0 9 1,31 * *", "previous", Weekend(), after, 3) == [
        ("Fri 01-29 09:00", "moved"),
        ("Mon 02-01 09:00", ""),
        ("Mon 03-01 09:00", ""),
    ]


class Never:
    def day(self, day: date) -> str | None:
        return "never"


@pytest.mark.parametrize("to", ["next", "previous"])
def test_where_no_day_is_open_nothing_fires(to: str) -> None:
    assert fires("0 9 * * *", to, Never(), datetime(2027, 1, 1, tzinfo=UTC), 1) == []


@pytest.mark.parametrize(
    "text", ["* * * * *", "*/5 9 * * *", "0 * * * *", "@every 1d", "@after 1h", "@at 2027-01-01T09:00"]
)
def test_only_fixed_times_of_day_can_be_moved(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        read((Spec(text),), "", Shift(Weekend(), "next"))
    assert caught.value.field == "on_closed"


def test_words() -> None:
    plan = read((Spec("0 9 1 * *"),), "", Shift(Weekend(), "next"))
    assert words(plan) == "At 09:00, on day 1 of the month, on closed days the next open day"
    assert words(plan, "zh").endswith("，遇休息日顺延到下一个开放日")
