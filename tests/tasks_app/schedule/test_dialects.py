"""What may stand in the fields of a cron, beyond what `test_cron` has; expectations are worked out by hand, in UTC."""

import pytest

from tasks_app.schedule import ScheduleError, Spec, read
from tests.tasks_app.schedule.test_cron import BERLIN, full, utc

# 2024: January begins on a Monday; June, September begin on a Saturday and a Sunday.
SPECIAL = [
    # the working day nearest to a day, in the same month
    ("0 0 15W * *", "2024-06-01", ["2024-06-14", "2024-07-15", "2024-08-15", "2024-09-16"]),
    ("0 0 1W * *", "2024-05-30", ["2024-06-03", "2024-07-01", "2024-08-01", "2024-09-02"]),
    ("0 0 31W * *", "2024-03-01", ["2024-03-29", "2024-05-31", "2024-07-31", "2024-08-30"]),
    ("0 0 30W 6 *", "2024-01-01", ["2024-06-28", "2025-06-30", "2026-06-30", "2027-06-30", "2028-06-30"]),
    ("0 0 1W,15W * *", "2024-06-01", ["2024-06-03", "2024-06-14", "2024-07-01"]),
    ("0 0 1W,20 * *", "2024-06-01", ["2024-06-03", "2024-06-20", "2024-07-01"]),
    ("0 0 29W 2 *", "2024-01-01", ["2024-02-29", "2028-02-29"]),
    ("0 0 15w * *", "2024-06-01", ["2024-06-14"]),
    # before the last day
    ("0 0 L-0 * *", "2024-01-31 00:00", ["2024-02-29", "2024-03-31"]),
    ("0 0 L-1 * *", "2024-02-01", ["2024-02-28", "2024-03-30", "2024-04-29"]),
    ("0 0 L-3 * *", "2023-02-01", ["2023-02-25", "2023-03-28", "2023-04-27"]),
    ("0 0 L-30 * *", "2024-01-02", ["2024-03-01", "2024-05-01", "2024-07-01"]),
    ("0 0 L-27 2 *", "2024-01-01", ["2024-02-02", "2025-02-01", "2026-02-01"]),
    ("0 0 L,L-1,1 * *", "2024-02-01 00:00", ["2024-02-28", "2024-02-29", "2024-03-01"]),
    # the last working day
    ("0 0 LW * *", "2024-06-01", ["2024-06-28", "2024-07-31", "2024-08-30", "2024-09-30"]),
    ("0 0 LW,1 * *", "2024-06-02", ["2024-06-28", "2024-07-01"]),
    # days of the week
    ("0 0 * * 0L", "2024-06-01", ["2024-06-30", "2024-07-28"]),
    ("0 0 * * 7L", "2024-06-01", ["2024-06-30", "2024-07-28"]),
    ("0 0 * * SUNL", "2024-06-01", ["2024-06-30", "2024-07-28"]),
    ("0 0 * * FRIL", "2024-06-01", ["2024-06-28", "2024-07-26"]),
    ("0 0 * * 1#1,3#3", "2024-06-01", ["2024-06-03", "2024-06-19", "2024-07-01"]),
    ("0 0 * * FRI#5", "2024-06-01", ["2024-08-30", "2024-11-29"]),
    ("0 0 * * 0#1", "2024-06-01", ["2024-06-02", "2024-07-07"]),
    ("0 0 * * 7#1", "2024-06-01", ["2024-06-02", "2024-07-07"]),
    ("0 0 * * 6,0", "2024-06-03", ["2024-06-08", "2024-06-09"]),
    ("0 0 * * */2", "2024-06-02 00:00", ["2024-06-04", "2024-06-06", "2024-06-08", "2024-06-09"]),
    ("0 0 * * 1-5/2", "2024-06-01", ["2024-06-03", "2024-06-05", "2024-06-07", "2024-06-10"]),
    # day and weekday: one of them is enough, unless one begins with a star
    ("0 0 15W * MON", "2024-06-10 00:00", ["2024-06-14", "2024-06-17"]),
    ("0 0 L * FRI#1", "2024-06-01", ["2024-06-07", "2024-06-30", "2024-07-05"]),
    ("0 0 1 * 1", "2024-06-01 00:00", ["2024-06-03", "2024-06-10", "2024-06-17", "2024-06-24", "2024-07-01"]),
    ("0 0 */2 * 1", "2024-06-01", ["2024-06-03", "2024-06-17", "2024-07-01"]),
    ("0 0 1-7 * */7", "2024-06-02 00:00", ["2024-07-07", "2024-08-04"]),
    ("0 0 *,13 * 5", "2024-06-01", ["2024-06-07", "2024-06-14"]),
    # a question mark is a star that says: of no matter
    ("0 0 ? * MON", "2024-06-01", ["2024-06-03", "2024-06-10"]),
    ("0 0 15 * ?", "2024-06-01", ["2024-06-15", "2024-07-15"]),
    ("0 0 ? * ?", "2024-06-01 00:00", ["2024-06-02"]),
    # months and steps
    ("0 0 1 */5 *", "2024-01-01 00:00", ["2024-06-01", "2024-11-01", "2025-01-01"]),
    ("0 0 1 2-12/5 *", "2024-01-01", ["2024-02-01", "2024-07-01", "2024-12-01"]),
    ("0 0 1 JAN-MAR,oct *", "2024-03-02", ["2024-10-01", "2025-01-01"]),
    ("0 0 31 2,3 *", "2024-01-01", ["2024-03-31", "2025-03-31"]),
    ("0 0 10/10 * *", "2024-06-11", ["2024-06-20", "2024-06-30", "2024-07-10"]),
    ("0 0 29 FEB MON#5", "2024-03-01", ["2028-02-29"]),
]

QUARTZ = [
    ("0 0 12 * * ?", "2024-06-01", ["2024-06-01 12:00", "2024-06-02 12:00"]),
    ("0 15 10 ? * *", "2024-06-01", ["2024-06-01 10:15"]),
    ("0 15 10 * * ? *", "2024-06-01", ["2024-06-01 10:15"]),
    ("0 15 10 * * ? 2025", "2024-06-01", ["2025-01-01 10:15", "2025-01-02 10:15"]),
    ("0 * 14 * * ?", "2024-06-01", ["2024-06-01 14:00", "2024-06-01 14:01"]),
    ("0 0/5 14,18 * * ?", "2024-06-01 14:52", ["2024-06-01 14:55", "2024-06-01 18:00"]),
    ("0 10,44 14 ? 3 WED", "2024-01-01", ["2024-03-06 14:10", "2024-03-06 14:44", "2024-03-13 14:10"]),
    ("0 15 10 ? * MON-FRI", "2024-06-07 11:00", ["2024-06-10 10:15"]),
    ("0 15 10 L * ?", "2024-06-01", ["2024-06-30 10:15", "2024-07-31 10:15"]),
    ("0 15 10 L-2 * ?", "2024-06-01", ["2024-06-28 10:15"]),
    ("0 15 10 ? * 6L", "2024-06-01", ["2024-06-28 10:15", "2024-07-26 10:15"]),
    ("0 15 10 ? * 6L 2022-2025", "2025-12-01", ["2025-12-26 10:15"]),
    ("0 15 10 ? * 6#3", "2024-06-01", ["2024-06-21 10:15"]),
    ("0 0 12 1/5 * ?", "2024-06-01", ["2024-06-01 12:00", "2024-06-06 12:00"]),
    ("0 11 11 11 11 ?", "2024-06-01", ["2024-11-11 11:11", "2025-11-11 11:11"]),
    ("0 0 0 ? * 1", "2024-06-01", ["2024-06-02 00:00", "2024-06-09 00:00"]),
    ("0 0 0 ? * 7", "2024-06-02", ["2024-06-08 00:00"]),
    ("0 0 0 ? * 2-6", "2024-06-01", ["2024-06-03 00:00", "2024-06-04 00:00"]),
    ("0 0 0 ? * L", "2024-06-02", ["2024-06-08 00:00", "2024-06-15 00:00"]),
    ("0 0 0 ? * 1,L", "2024-06-02", ["2024-06-08 00:00", "2024-06-09 00:00"]),
    ("0 0 0 ? * SUN,2", "2024-06-01", ["2024-06-02 00:00", "2024-06-03 00:00"]),
    ("0 0 0 ? * */3", "2024-06-02", ["2024-06-05 00:00", "2024-06-08 00:00", "2024-06-09 00:00"]),
    ("30 0 0 LW * ?", "2024-06-01", ["2024-06-28 00:00:30"]),
    ("0 0 0 15W * ?", "2024-06-01", ["2024-06-14 00:00"]),
    ("0 0 0 1 1 ? 2026/2", "2024-06-01", ["2026-01-01 00:00", "2028-01-01 00:00"]),
    ("0 0 0 1 1 ? 2026,2029-2030", "2024-06-01", ["2026-01-01 00:00", "2029-01-01 00:00", "2030-01-01 00:00"]),
    ("0 0 0 1 1 ? 2099", "2024-06-01", ["2099-01-01 00:00"]),
    ("0 0 0 1 1 ? */50", "2024-06-01", ["2070-01-01 00:00"]),
    ("0 0 0 29 2 ? 2025-2030", "2024-06-01", ["2028-02-29 00:00"]),
    ("@daily", "2024-06-01", ["2024-06-02 00:00"]),
]

OVER = [
    # fires that end: nothing follows the last one
    ("0 0 0 1 1 ? 2020", "quartz", "2024-06-01"),
    ("0 0 0 1 1 ? 2099", "quartz", "2099-01-01"),
]

REFUSED = [
    ("0 0 12 * * *", "quartz", 'wants "?"'),
    ("0 0 12 ? * ?", "quartz", 'wants "?"'),
    ("0 0 12 1 * MON", "quartz", 'wants "?"'),
    ("0 12 * * ?", "quartz", "5 fields: Quartz has 6"),
    ("0 0 12 ? * 0", "quartz", "1 is Sunday"),
    ("0 0 12 ? * 8", "quartz", "1 is Sunday"),
    ("0 0 12 ? * 1-8", "quartz", "1 is Sunday"),
    ("0 0 12 1 1 ? 1969", "quartz", "year field"),
    ("0 0 12 1 1 ? 2100", "quartz", "year field"),
    ("0 0 12 1 1 ? 2030-2026", "quartz", "year field"),
    ("0 0 12 1 1 ? 26", "quartz", "year field"),
    ("0 0 12 1 1 ? 2026/0", "quartz", "year field"),
    ("0 0 12 1 1 ? *-2030", "quartz", "year field"),
    ("0 0 12 30 2 ? 2026", "quartz", "never fires"),
    ("0 0 12 29 2 ? 2025-2027", "quartz", "never fires"),
    ("0 0 12 * * MON 2026", "debian", "set the dialect to quartz"),
    ("0 0 32W * *", "debian", "day field"),
    ("0 0 0W * *", "debian", "day field"),
    ("0 0 W * *", "debian", "day field"),
    ("0 0 15W-20 * *", "debian", "day field"),
    ("0 0 L-31 * *", "debian", "day field"),
    ("0 0 L-x * *", "debian", "day field"),
    ("0 0 L/2 * *", "debian", "day field"),
    ("0 0 LW-3 * *", "debian", "day field"),
    ("0 0 * L *", "debian", "month field"),
    ("L * * * *", "debian", "minute field"),
    ("0 0 * * L", "debian", "weekday field"),
    ("0 0 * * 8L", "debian", "weekday field"),
    ("0 0 * * MOL", "debian", "weekday field"),
    ("0 0 * * 1#0", "debian", "weekday field"),
    ("0 0 * * 1#2#3", "debian", "weekday field"),
    ("0 0 * * 1-5#2", "debian", "weekday field"),
    ("0 0 ?/2 * *", "debian", "day field"),
    ("0 0 1,? * *", "debian", "day field"),
    ("H(5-1) * * * *", "debian", "minute field"),
    ("H(0-60) * * * *", "debian", "minute field"),
    ("H/0 * * * *", "debian", "minute field"),
    ("H/61 * * * *", "debian", "minute field"),
    ("H(0-9)/11 * * * *", "debian", "minute field"),
    ("H5 * * * *", "debian", "minute field"),
    ("H-5 * * * *", "debian", "minute field"),
    ("0 0 H(0-5) * *", "debian", "day field"),
    ("0 0 * * * * *", "unix", "debian or quartz"),
]


def times(spec: Spec, after: str, count: int, key: str = "") -> list[str]:
    fires = read((spec,), key).fires(utc(after), count)
    return [f"{fire.at:%Y-%m-%d %H:%M:%S} {fire.mark}".strip() for fire in fires]


@pytest.mark.parametrize(("schedule", "after", "expected"), SPECIAL)
def test_special_days(schedule: str, after: str, expected: list[str]) -> None:
    assert times(Spec(schedule), after, len(expected)) == [f"{day} 00:00:00" for day in expected]


@pytest.mark.parametrize(("schedule", "after", "expected"), QUARTZ)
def test_quartz(schedule: str, after: str, expected: list[str]) -> None:
    assert times(Spec(schedule, dialect="quartz"), after, len(expected)) == [full(row) for row in expected]


@pytest.mark.parametrize(("schedule", "dialect", "after"), OVER)
def test_it_is_over(schedule: str, dialect: str, after: str) -> None:
    assert times(Spec(schedule, dialect=dialect), after, 1) == []


@pytest.mark.parametrize(("schedule", "dialect", "message"), REFUSED)
def test_refused(schedule: str, dialect: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message.replace("?", r"\?")):
        read((Spec(schedule, dialect=dialect),), "")


@pytest.mark.parametrize(
    ("schedule", "lowest", "highest", "distinct"),
    [
        ("H 3 * * *", "03:00", "03:59", 50),
        ("H(10-19) 3 * * *", "03:10", "03:19", 10),
        ("0 H(2-4) * * *", "02:00", "04:00", 3),
    ],
)
def test_a_number_of_the_tasks_own(schedule: str, lowest: str, highest: str, distinct: int) -> None:
    found = [times(Spec(schedule), "2024-06-01", 2, key=f"team/task-{n}") for n in range(300)]
    clocks = {row[0][11:16] for row in found}
    assert all(one[11:] == other[11:] for one, other in found)  # the same each day
    assert (min(clocks), max(clocks), len(clocks) >= distinct) == (lowest, highest, True)
    assert found[7] == times(Spec(schedule), "2024-06-01", 2, key="team/task-7")


def test_steps_from_a_number_of_the_tasks_own() -> None:
    for n in range(50):
        minutes = [int(row[14:16]) for row in times(Spec("H/15 * * * *"), "2024-06-01 00:59", 4, key=str(n))]
        assert minutes[0] < 15
        assert minutes == [minutes[0] + step for step in (0, 15, 30, 45)]
        days = [row[8:10] for row in times(Spec("0 0 H * *"), "2024-01-31", 3, key=str(n))]
        assert len(set(days)) == 1
        assert int(days[0]) <= 28
        parts = [int(row[14:16]) for row in times(Spec("H(0-29)/10,45 * * * *"), "2024-06-01 00:59", 4, key=str(n))]
        assert parts == [parts[0], parts[0] + 10, parts[0] + 20, 45]


def test_fields_have_numbers_of_their_own() -> None:
    rows = [times(Spec("H H * * *"), "2024-06-01", 1, key=str(n))[0] for n in range(200)]
    assert len({row[11:16] for row in rows}) > 150
    weekdays = {read((Spec("0 0 * * H"),), str(n)).fires(utc("2024-06-01"), 1)[0].at.weekday() for n in range(100)}
    assert weekdays == set(range(7))


def test_the_key_is_of_no_matter_without_h() -> None:
    assert read((Spec("0 3 * * *", BERLIN),), "one") is read((Spec("0 3 * * *", BERLIN),), "other")
