"""Public holidays, from the library `holidays`, which takes 20 MB: it is loaded when a calendar names a country."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase


def check(code: str) -> None:
    """Raise `ValueError` where there is no such country, or no such part of it."""
    _of(code)


def holiday(code: str, day: date) -> str | None:
    """The name of the public holiday; in English where that is known."""
    return _of(code).get(day)


def workday(code: str, day: date) -> str | None:
    """What a day off is called that is a workday, in place of another day."""
    known = _of(code)
    known.get(day)  # Only then are the days of that year known.
    return "Make-up workday" if day in known.weekend_workdays else None


@lru_cache(maxsize=64)
def _of(code: str) -> HolidayBase:
    import holidays  # noqa: PLC0415 - see above

    country, _, wanted = code.upper().partition("-")
    known = holidays.list_supported_countries().get(country)
    if known is None:
        raise ValueError(f"No public holidays are known of “{country}”: use a country's code of ISO 3166, such as DE.")
    part = next((each for each in known if each.upper() == wanted), None)
    if wanted and part is None:
        raise ValueError(f"“{country}” has no part “{wanted}”; it has {', '.join(known) or 'none'}.")
    language = "en_US" if "en_US" in getattr(holidays, country).supported_languages else None
    return holidays.country_holidays(country, subdiv=part, language=language)
