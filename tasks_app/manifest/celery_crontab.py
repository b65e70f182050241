"""Celery's crontab as a schedule of ours.

It says the same but for two things: its ranges may go round (FRI-MON), and where day and weekday are both restricted,
both must match, whereas in a crontab one of them is enough. That is what a recurrence rule is for.
"""

from collections.abc import Iterable, Iterator

from celery.schedules import crontab

from tasks_app.schedule import MAX_LENGTH

START = "DTSTART:20240101T000000"
"""Some time that has passed; a rule counts nothing from it."""
_MINUTES, _HOURS, _DAYS, _MONTHS, _WEEKDAYS = range(60), range(24), range(1, 32), range(1, 13), range(7)
_NAMES = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")


def schedule_of(read: crontab) -> str | None:
    """The line of text; None where it would be too long."""
    both = not (read.day_of_month >= set(_DAYS) or read.day_of_week >= set(_WEEKDAYS))
    text = _rule(read) if both else _cron(read)
    return text if len(text) <= MAX_LENGTH else None


def _cron(read: crontab) -> str:
    return " ".join(
        (
            _field(read.minute, _MINUTES, read._orig_minute),
            _field(read.hour, _HOURS, read._orig_hour),
            _field(read.day_of_month, _DAYS),
            _field(read.month_of_year, _MONTHS),
            _field(read.day_of_week, _WEEKDAYS),
        )
    )


def _field(values: set[int], all_values: range, written: str = "") -> str:
    if values >= set(all_values):
        return "*"
    step = sorted(values)[1] - min(values) if len(values) > 1 else 0
    # Only where it stood there: what begins with * follows elapsed time when clocks are set.
    if step and written.startswith("*/") and values == set(all_values[::step]):
        return f"*/{step}"
    return ",".join(_runs(sorted(values)))


def _runs(values: list[int]) -> Iterator[str]:
    """1,2,3,7 as 1-3 and 7."""
    begin = before = values[0]
    for value in [*values[1:], None]:
        if value == before + 1:
            before = value
            continue
        yield f"{begin}-{before}" if before > begin else f"{begin}"
        if value is not None:
            begin = before = value


def _rule(read: crontab) -> str:
    parts = {
        "BYMONTH": [] if read.month_of_year >= set(_MONTHS) else sorted(read.month_of_year),
        "BYMONTHDAY": sorted(read.day_of_month),
        "BYDAY": [_NAMES[day] for day in sorted(read.day_of_week)],
        "BYHOUR": sorted(read.hour),
        "BYMINUTE": sorted(read.minute),
    }
    return f"{START} RRULE:FREQ=DAILY;" + ";".join(
        f"{name}={_list(values)}" for name, values in parts.items() if values
    )


def _list(values: Iterable[object]) -> str:
    return ",".join(map(str, values))
