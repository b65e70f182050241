"""What a schedule says, as text and options, and the `Schedule` it means."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from tasks_app.schedule import fields, rule_text
from tasks_app.schedule.cron import CronTimes
from tasks_app.schedule.errors import ScheduleError, refused
from tasks_app.schedule.fields import DIALECTS, Dialect
from tasks_app.schedule.kinds import (
    LATEST,
    After,
    Between,
    Every,
    Local,
    Moved,
    Once,
    Schedule,
    Single,
    Spread,
    Together,
)
from tasks_app.schedule.moved import MovedTimes, Shift
from tasks_app.schedule.nth import EveryNth
from tasks_app.schedule.rule import RuleTimes
from tasks_app.schedule.walls import ELAPSED, FIXED, GAPS, OVERLAPS, Clocks, Gap, Overlap
from tasks_app.schedule.zone import offset, zone

MAX_LENGTH = 200
"""Characters of a schedule's text."""
MOST_NTH = 1000
MOST_SPREAD = 86_400

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1)
_REFERENCE = datetime(2024, 1, 1)
"""What does not fire within many years of this never does."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A schedule as it is written down."""

    schedule: str = ""
    timezone: str = "UTC"
    dialect: Dialect = "debian"
    dst_gap: Gap | Literal[""] = ""
    dst_overlap: Overlap | Literal[""] = ""
    """Empty: as Debian's cron has it, by the kind of the schedule."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    """It fires from `starts_at` on and before `ends_at`."""
    every_nth: int = 1
    spread_seconds: int = 0


def read(specs: tuple[Spec, ...], key: str, shift: Shift | None = None) -> Schedule:
    """All of `specs` together; `key` (of the task) decides what `H` and a spread are.

    With `shift` what is due on a closed day is moved, which can only be done with fixed times of day. Raises
    `ScheduleError`; its field is that of the first spec, or `schedules` with the number of the one meant.
    """
    members = [_member(number, spec, key, shift) for number, spec in enumerate(specs)]
    used = [member for member, spec in zip(members, specs, strict=True) if spec.schedule.strip()]
    if len(used) > 1 and any(isinstance(member, After) for member in used):
        raise refused("@after goes from the end of one run to the next, so it cannot be one of several schedules.")
    return used[0] if len(used) == 1 else Together(tuple(used)) if used else members[0]


def _member(number: int, spec: Spec, key: str, shift: Shift | None) -> Schedule:
    try:
        return _read(spec, key if has_own_place(spec) else "", shift)
    except ScheduleError as error:
        raise (further(number, error) if number else error) from None


def has_own_place(spec: Spec) -> bool:
    """Does it depend on the key?"""
    return bool(spec.spread_seconds) or "H" in spec.schedule.upper()


def further(number: int, error: ScheduleError) -> ScheduleError:
    """`error`, said of one of a task's further schedules."""
    return ScheduleError("schedules", f"{number}: {error.field}: {error.message}")


@lru_cache(maxsize=4096)
def _read(spec: Spec, key: str, shift: Shift | None = None) -> Schedule:
    where = zone(spec.timezone)
    _check_text(spec.schedule)
    _check_options(spec)
    text = spec.schedule.strip()
    if not text:
        return Schedule(where)
    word = text.split()[0].lower()
    kind = "rule" if rule_text.is_rule(text) else word if word in _KINDS else "cron"
    _check_fitting(spec, kind)
    plan = _KINDS[kind](spec, text if kind in ("rule", "cron") else text[len(word) :].strip(), where, key)
    plan = _shifted(plan, shift) if shift else plan
    return _bounded(_spread(plan, spec, key), spec)


def _shifted(plan: Schedule, shift: Shift) -> Schedule:
    if not isinstance(plan, Local) or plan.elapsed:
        fixed = "of a cron whose minute and hour do not start with *, or of an RRULE"
        raise ScheduleError("on_closed", f"Only fixed times of day can be moved, {fixed}. For others choose skip.")
    return Moved(MovedTimes(plan.times, shift), plan.clocks, plan.zone)


def _spread(plan: Schedule, spec: Spec, key: str) -> Schedule:
    if not spec.spread_seconds:
        return plan
    digest = hashlib.sha256(f"spread {key}".encode()).digest()
    return Spread(plan, _SECOND * (int.from_bytes(digest[:8], "big") % spec.spread_seconds))


def _bounded(plan: Schedule, spec: Spec) -> Schedule:
    if spec.starts_at is None and spec.ends_at is None:
        return plan
    start = _ceiling(spec.starts_at) if spec.starts_at else datetime.min
    return Between(plan, start, _ceiling(spec.ends_at) if spec.ends_at else datetime.max)


def _ceiling(at: datetime) -> datetime:
    """The first whole second that is not before `at`."""
    plain = _plain(at)
    return plain.replace(microsecond=0) + _SECOND * bool(plain.microsecond)


def _plain(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


# --- the kinds


def _cron(spec: Spec, text: str, where: ZoneInfo, key: str) -> Schedule:
    read = fields.read(_alias(text), "debian", key) if text.startswith("@") else fields.read(text, spec.dialect, key)
    times = CronTimes(read)
    natural = ELAPSED if read.elapsed else FIXED
    reference = datetime(min(read.years), 1, 1) if read.years else _REFERENCE
    if Local(times, _clocks(spec, natural), where).first(reference) is None:
        raise _never(text)
    if spec.every_nth == 1:
        return Local(times, _clocks(spec, natural), where, read.elapsed)
    if spec.starts_at is None:
        raise ScheduleError("starts_at", "Every n-th is counted from a start: say which.")
    anchor = _ceiling(spec.starts_at) + offset(where, _ceiling(spec.starts_at))
    return Local(EveryNth(times, spec.every_nth, anchor), _clocks(spec, natural), where, read.elapsed)


def _rule(spec: Spec, text: str, where: ZoneInfo, key: str) -> Schedule:
    start = spec.starts_at and _ceiling(spec.starts_at) + offset(where, _ceiling(spec.starts_at))
    times = RuleTimes(rule_text.read(text, where, start))
    if times.first_from(times.rule.start) is None:
        raise _never(text)
    return Local(times, _clocks(spec, FIXED), where)


def _every(spec: Spec, text: str, where: ZoneInfo, key: str) -> Schedule:
    step, _, anchor = text.partition(" from ")
    interval = _interval("@every", step.strip())
    return Every(interval, _anchor(anchor.strip(), where) if anchor else _EPOCH, where)


def _anchor(text: str, where: ZoneInfo) -> datetime:
    at = _moment(text)
    return _plain(at) if at.tzinfo else next(_instants(Local(Single(at), FIXED, where), at))


def _after(spec: Spec, text: str, where: ZoneInfo, key: str) -> Schedule:
    return After(_interval("@after", text), where)


def _at(spec: Spec, text: str, where: ZoneInfo, key: str) -> Schedule:
    at = _moment(text)
    if at.tzinfo:
        return Once(_plain(at), where)
    plan = Local(Single(at), _clocks(spec, FIXED), where)
    found = [Once(instant, where, plan.mark(instant)) for instant in _instants(plan, at)]
    if not found:
        raise _never(text)
    return found[0] if len(found) == 1 else Together(tuple(found))


def _instants(plan: Local, wall: datetime) -> Iterator[datetime]:
    """Of one local time: two at most, where it comes twice."""
    at = plan.first(wall - 2 * _DAY)
    while at:
        yield at
        at = plan.first(at + _SECOND)


_KINDS: dict[str, Callable[[Spec, str, ZoneInfo, str], Schedule]] = {
    "cron": _cron,
    "rule": _rule,
    "@every": _every,
    "@after": _after,
    "@at": _at,
}
_FITTING = {
    "dialect": ("cron",),
    "every_nth": ("cron",),
    "dst_gap": ("cron", "rule", "@at"),
    "dst_overlap": ("cron", "rule", "@at"),
    "spread_seconds": ("cron", "rule", "@every", "@at"),
}
"""Which options go with which kinds."""


def _clocks(spec: Spec, natural: Clocks) -> Clocks:
    return Clocks(spec.dst_gap or natural.gap, spec.dst_overlap or natural.overlap)


# --- reading and refusing

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_INTERVAL = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def _never(text: str) -> ScheduleError:
    return refused(f'"{text}" never fires: no such date or time exists. Change the day, month, weekday or hour.')


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise refused(f"The schedule has {len(text)} characters; shorten it to at most {MAX_LENGTH}.")
    if not (text.isascii() and text.isprintable()):
        raise refused("Use only plain ASCII characters and spaces: no tabs, line breaks or other scripts.")


def _check_options(spec: Spec) -> None:
    allowed = {"dialect": DIALECTS, "dst_gap": ("", *GAPS), "dst_overlap": ("", *OVERLAPS)}
    for name, values in allowed.items():
        if getattr(spec, name) not in values:
            raise ScheduleError(name, f"Use {' or '.join(value for value in values if value)}.")
    for name, low, high in (("every_nth", 1, MOST_NTH), ("spread_seconds", 0, MOST_SPREAD)):
        if not low <= getattr(spec, name) <= high:
            raise ScheduleError(name, f"Use a number from {low} to {high}.")
    if spec.starts_at and spec.ends_at and spec.ends_at <= spec.starts_at:
        raise ScheduleError("ends_at", "The end must be after the start.")


def _check_fitting(spec: Spec, kind: str) -> None:
    for name, kinds in _FITTING.items():
        if getattr(spec, name) != getattr(_PLAIN, name) and kind not in kinds:
            raise ScheduleError(
                name, f"That goes only with {', '.join(kinds)}: leave it out. {_INSTEAD.get(name, '')}".strip()
            )


_PLAIN = Spec()
_INSTEAD = {"every_nth": "An interval is made n times as long, and a rule has INTERVAL."}


def _alias(text: str) -> str:
    if text.lower() not in _ALIASES:
        known = ", ".join([*_ALIASES, "@every 10s", "@after 10m", "@at 2026-01-01T00:00:00Z"])
        raise refused(f'Unknown schedule "{text}": use {known}, or cron fields.')
    return _ALIASES[text.lower()]


def _interval(word: str, text: str) -> timedelta:
    match = _INTERVAL.fullmatch(text)
    if not match or not text:
        raise refused(f'"{text}" is no interval: write whole d, h, m, s in this order, such as 1h30m; no ms.')
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not 1 <= total <= 366 * 86_400:
        raise refused(f'"{word} {text}" is out of range: use an interval from 1s to 366d.')
    return timedelta(seconds=total)


def _moment(text: str) -> datetime:
    try:
        nominal = datetime.fromisoformat(text)
    except ValueError:
        raise refused(f'"{text}" is not a time: write ISO 8601, such as 2026-01-01T00:00:00Z.') from None
    if not _EPOCH.year <= nominal.year < LATEST.year:
        raise refused(f'"{text}" is out of range: use a year from {_EPOCH.year} to {LATEST.year - 1}.')
    return nominal.replace(microsecond=0)
