"""Calendars: which days and hours are closed. Pure; no clock is read.

A calendar is two texts, `closed` and `open`, with one line for each thing that is closed, or open:

    sat, sun                            weekdays
    12-25 Christmas Day                 the same date each year; what follows is its name
    12-24/01-02                         from one date to another each year
    2027-05-14 Bridge day               one date
    2027-08-02/2027-08-20 Works holiday dates
    22:00-06:00                         hours of each day; past midnight too
    fri 12:00-24:00                     hours of some days: any of the above, and hours
    2027-03-06T18:00/2027-03-07T04:00   from one moment to another
    holidays DE-BY                      public holidays of a country, or of a part of it, by ISO 3166

In a calendar that is `open but` what is closed, whole days in `open` are exceptions of whole days in `closed`: a
Saturday on which people work. Hours in `open` are exceptions of all. In one that is `closed but` what is open, all that
stands in `closed` is an exception. Where public holidays are closed, the days off that a country makes workdays in
their place are open.
"""

from tasks_app.calendars import ics
from tasks_app.calendars.calendar import Calendar, read
from tasks_app.calendars.closures import Closures, Open
from tasks_app.calendars.errors import CalendarError
from tasks_app.calendars.moving import shift_of
from tasks_app.calendars.rules import KINDS, Rules

__all__ = ["KINDS", "Calendar", "CalendarError", "Closures", "Open", "Rules", "ics", "read", "shift_of"]
