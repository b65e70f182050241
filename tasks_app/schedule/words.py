"""A schedule in words, English and Chinese."""

import re
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any, Literal

from cron_descriptor import Options, get_description  # type: ignore[import-untyped]
from cronsim import CronSim, CronSimError

from tasks_app.schedule.cron import CronTimes
from tasks_app.schedule.fields import Fields
from tasks_app.schedule.kinds import After, Between, Every, Local, Once, Schedule, Spread, Together
from tasks_app.schedule.moved import MovedTimes
from tasks_app.schedule.nth import EveryNth
from tasks_app.schedule.phrases import CHINESE_NAMES, PHRASES
from tasks_app.schedule.rule import Rule, RuleTimes
from tasks_app.schedule.rule_text import WEEKDAYS
from tasks_app.schedule.walls import Times
from tasks_app.schedule.zone import offset

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_LOCALES = {"en": "en_US", "zh": "zh_CN"}
_DESCRIBED = re.compile(r"(\d+|[A-Z]{3})(,(\d+|[A-Z]{3}))*|[^,]*")
"""Fields that cron_descriptor words rightly; it misreads mixed lists (`L,15`, `5,MON#2`) and two limited day fields."""


def words(plan: Schedule, language: Language = "en") -> str:
    """The schedule in words."""
    return _words(plan, PHRASES[language], language)


@singledispatch
def _words(plan: Any, phrases: dict[str, Any], language: Language) -> str:
    return str(phrases["never"])


@_words.register
def _(plan: Once, phrases: dict[str, Any], language: Language) -> str:
    return str(phrases["once"].format(at=_shown(plan.at, plan)))


@_words.register
def _(plan: Every, phrases: dict[str, Any], language: Language) -> str:
    told = phrases["anchor"].format(at=_shown(plan.anchor, plan)) if plan.anchor.year > 1970 else ""
    return str(phrases["every"].format(step=_span(plan.step, phrases)) + told)


@_words.register
def _(plan: After, phrases: dict[str, Any], language: Language) -> str:
    return str(phrases["after"].format(step=_span(plan.lag, phrases)))


@_words.register
def _(plan: Local, phrases: dict[str, Any], language: Language) -> str:
    return _times(plan.times, phrases, language)


@_words.register
def _(plan: Spread, phrases: dict[str, Any], language: Language) -> str:
    later = phrases["spread"].format(step=_span(plan.shift, phrases)) if plan.shift else ""
    return _words(plan.base, phrases, language) + str(later)


@_words.register
def _(plan: Between, phrases: dict[str, Any], language: Language) -> str:
    start = phrases["from"].format(at=_shown(plan.start, plan)) if plan.start > datetime.min else ""
    end = phrases["until"].format(at=_shown(plan.end, plan)) if plan.end < datetime.max else ""
    return _words(plan.base, phrases, language) + str(start + end)


@_words.register
def _(plan: Together, phrases: dict[str, Any], language: Language) -> str:
    return str(phrases["and"].join(_words(member, phrases, language) for member in plan.members))


@singledispatch
def _times(times: Times, phrases: dict[str, Any], language: Language) -> str:
    raise TypeError(f"There are no words for {type(times).__name__}.")


@_times.register
def _(times: MovedTimes, phrases: dict[str, Any], language: Language) -> str:
    return _times(times.times, phrases, language) + str(phrases["moved"][times.shift.to])


@_times.register
def _(times: EveryNth, phrases: dict[str, Any], language: Language) -> str:
    nth = phrases["nth"].format(n=times.n, at=times.anchor.isoformat(sep=" "))
    return _times(times.times, phrases, language) + str(nth)


@_times.register
def _(times: CronTimes, phrases: dict[str, Any], language: Language) -> str:
    fields = times.fields
    years = phrases["years"].format(years=_ranges(sorted(fields.years))) if fields.years is not None else ""
    return (_described(fields, language) or _explained(fields, language) or _field_by_field(fields, phrases)) + years


@_times.register
def _(times: RuleTimes, phrases: dict[str, Any], language: Language) -> str:
    rule = times.rule
    form = phrases["period" if rule.interval == 1 else "period_n"]
    told = [form.format(period=phrases["periods"][rule.frequency], n=rule.interval), *_limits(rule, phrases)]
    clock = [
        f"{h:02}:{m:02}" + (f":{s:02}" if s else "") for h in rule.hours for m in rule.minutes for s in rule.seconds
    ]
    told.append(phrases["at"].format(times=", ".join(clock[:5]) + (" …" if len(clock) > 5 else "")))
    told.append(phrases["since"].format(at=rule.start.isoformat(sep=" ")))
    told += [phrases["through"].format(at=rule.until.isoformat(sep=" "))] if rule.until else []
    told += [phrases["count"].format(n=rule.count)] if rule.count else []
    return str(phrases["list"].join(told))


def _limits(rule: Rule, phrases: dict[str, Any]) -> list[str]:
    days = ", ".join(f"{nth or ''}{WEEKDAYS[weekday]}" for weekday, nth in rule.weekdays)
    limits = {
        "month": _listed(rule.months),
        "week_of_year": _listed(rule.weeks),
        "day_of_year": _listed(rule.year_days),
        "day": _listed(rule.month_days),
        "weekday": days,
        "position": _listed(rule.positions),
    }
    return [phrases["field"].format(name=phrases["names"][name], text=text) for name, text in limits.items() if text]


def _described(fields: Fields, language: Language) -> str:
    """By cron_descriptor, unless it is known to read these fields wrongly."""
    day, weekday = fields.texts[3], fields.texts[5]
    left_out = language == "zh" and day.startswith("L-")
    if left_out or "*" not in (day, weekday) or not all(map(_DESCRIBED.fullmatch, fields.texts)):
        return ""
    options = Options()
    options.locale_code, options.use_24hour_time_format = _LOCALES[language], True
    text = str(get_description(" ".join(fields.texts), options))
    for name, chinese in CHINESE_NAMES.items() if language == "zh" else ():
        text = text.replace(name, chinese)
    return text.strip()


def _explained(fields: Fields, language: Language) -> str:
    """By cronsim, which words any lists and pairs of days, but not all kinds of them."""
    if language != "en":
        return ""
    try:
        return str(CronSim(" ".join(fields.texts), datetime(1970, 1, 1)).explain())
    except CronSimError:
        return ""


def _field_by_field(fields: Fields, phrases: dict[str, Any]) -> str:
    named = zip(("second", "minute", "hour", "day", "month", "weekday"), fields.texts, strict=True)
    shown = {name: phrases["field"].format(name=phrases["names"][name], text=text) for name, text in named}
    day, weekday = shown.pop("day"), shown.pop("weekday")
    if "*" in (fields.texts[3], fields.texts[5]):
        days = day if fields.texts[5] == "*" else weekday
    else:
        days = phrases["both" if fields.days.both else "either"].format(day=day, weekday=weekday)
    clock = [shown.pop("hour"), shown.pop("minute"), *([] if fields.texts[0] == "0" else [shown.pop("second")])]
    month = [] if fields.texts[4] == "*" else [shown["month"]]
    return str(phrases["list"].join([*clock, days, *month]))


def _span(span: timedelta, phrases: dict[str, Any]) -> str:
    minutes, seconds = divmod(span // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    counted = zip((days, hours, minutes, seconds), phrases["units"], strict=True)
    return " ".join(f"{n} {one if n == 1 else many}" for n, (one, many) in counted if n)


def _shown(at: datetime, plan: Schedule) -> str:
    """An instant (naive, in UTC) in the schedule's zone."""
    return f"{(at + offset(plan.zone, at)).isoformat(sep=' ')} {plan.zone.key}"


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _ranges(numbers: list[int]) -> str:
    """Numbers in rising order, with those that follow each other as ranges."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(str(one) if one == other else f"{one}–{other}" for one, other in zip(starts, ends, strict=True))
