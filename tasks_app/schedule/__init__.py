"""When a task fires: a line of text, a time zone and options in, instants out. Pure; no clock is read.

    ""                              only when triggered by hand
    30 2 * * MON-FRI                cron: minute hour day month weekday (`fields` has all that may stand there)
    */2 * * * * *                   cron with seconds first
    @daily                          @hourly @daily @midnight @weekly @monthly @yearly @annually
    @every 1h30m                    an interval from 1 second to 366 days; d h m s, in this order
    @every 1d from 2026-01-01T08:00 an interval counted from then; ISO 8601, in the schedule's zone without an offset
    @after 10m                      a fixed delay: from the end of one run to the next
    @at 2026-01-01T08:00            once
    DTSTART:20260101T080000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO     a recurrence rule of iCalendar

`Spec` has the options, `read` makes of one or more of them a `Schedule`.

If day or weekday of a cron starts with `*`, both must match, otherwise one of them is enough, as in Debian's cron.

Intervals are counted from the Unix epoch in UTC unless they say from when, so they need no memory: `@every 10s` is :00,
:10, :20 …, `@every 1d` is midnight UTC. One that does not divide a day drifts over the clock, but never skips or
doubles.

When clocks change, Debian's cron sets the rule (its manual, cron(8)), unless `dst_gap` and `dst_overlap` say otherwise:
- A cron whose minute or hour starts with `*` follows elapsed time: it fires in both passes of a repeated hour,
  and a local time that does not exist does not fire.
- Any other cron, a recurrence rule, and `@at` with a local time stand for fixed times of day: those that do not exist
  fire together, once, at the first instant after the gap (mark "gap"); in a repeated hour only the first pass fires.
"""

from tasks_app.schedule.errors import ScheduleError
from tasks_app.schedule.fields import DIALECTS
from tasks_app.schedule.given import SPEC_FIELDS, spec_of, written
from tasks_app.schedule.kinds import Fire, Mark, Schedule
from tasks_app.schedule.lately import newest
from tasks_app.schedule.moved import Shift
from tasks_app.schedule.reading import MAX_LENGTH, MOST_NTH, MOST_SPREAD, Spec, further, has_own_place, read
from tasks_app.schedule.walls import GAPS, HORIZON, OVERLAPS
from tasks_app.schedule.words import LANGUAGES, Language, words
from tasks_app.schedule.zone import stretch_at, zone

__all__ = [
    "DIALECTS",
    "GAPS",
    "HORIZON",
    "LANGUAGES",
    "MAX_LENGTH",
    "MOST_NTH",
    "MOST_SPREAD",
    "OVERLAPS",
    "SPEC_FIELDS",
    "Fire",
    "Language",
    "Mark",
    "Schedule",
    "ScheduleError",
    "Shift",
    "Spec",
    "further",
    "has_own_place",
    "newest",
    "read",
    "spec_of",
    "stretch_at",
    "words",
    "written",
    "zone",
]
