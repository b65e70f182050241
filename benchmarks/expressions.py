"""Schedules to time: such as people write, and the hardest that a search over the whole grammar has found."""

from datetime import UTC, datetime

from tasks_app.schedule import Spec

BERLIN, NEW_YORK, HAVANA, CASABLANCA = "Europe/Berlin", "America/New_York", "America/Havana", "Africa/Casablanca"
_THEN = datetime(1970, 1, 1, tzinfo=UTC)

USUAL = (
    Spec("* * * * *"),
    Spec("*/5 * * * *", BERLIN),
    Spec("0 * * * *", NEW_YORK),
    Spec("30 2 * * *", BERLIN),
    Spec("0 9 * * MON-FRI", NEW_YORK),
    Spec("15 8,12,18 * * *", "Asia/Shanghai"),
    Spec("0 0 1 * *", HAVANA),
    Spec("0 3 L * *", "Europe/London"),
    Spec("H H(0-7) * * *", "Asia/Kolkata"),
    Spec("0 30 6 ? * 2-6", "Australia/Sydney", dialect="quartz"),
    Spec("*/10 * * * * *"),
    Spec("0 22 * * 1#2", "America/Sao_Paulo"),
    Spec("@every 90s"),
    Spec("@daily", CASABLANCA, spread_seconds=3600),
    Spec("0 7 * * FRI", BERLIN, every_nth=2, starts_at=datetime(2024, 6, 1, tzinfo=UTC)),
    Spec("DTSTART:20240101T090000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", NEW_YORK),
)

_IN_A_GAP = "DTSTART:19790325T023000 RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"
_ALL_DAYS = "BYDAY=MO,TU,WE,TH,FR,SA,SU"
_TEN = "0,1,2,3,4,5,6,7,8,9"
_WEEKS = "DTSTART:20260101T000000 RRULE:FREQ=WEEKLY;INTERVAL=1000;" + _ALL_DAYS

HOSTILE: dict[str, tuple[Spec, ...]] = {
    "29 February on a Monday": (Spec("0 0 29 2 */7", HAVANA),),
    "a fifth Monday in February": (Spec("0 0 0 ? 2 MON#5", BERLIN, dialect="quartz"),),
    "a year far away": (Spec("0 0 0 31 12 ? 2099", NEW_YORK, dialect="quartz"),),
    "H, L and W": (Spec("H H L-3,LW,15W 2 *", "Asia/Beirut"),),
    "in a gap only, at midnight": (Spec("0 0 8-14 3 */7", HAVANA),),
    "a rule in a gap only, for decades": (Spec(_IN_A_GAP, BERLIN, dst_gap="skip"),),
    "every 1000th second of decades": (Spec("* * * * * *", BERLIN, every_nth=1000, starts_at=_THEN),),
    "every 1000th leap day": (Spec("0 0 29 2 *", BERLIN, every_nth=1000, starts_at=_THEN),),
    "every 999th, rare and spread": (
        Spec("14 3 */30 3 1#1", "Asia/Beirut", every_nth=999, starts_at=_THEN, spread_seconds=86_400),
    ),
    "a week of 1000, spread": (Spec(_WEEKS, CASABLANCA, spread_seconds=86_400),),
    "a month of 366": (
        Spec(f"DTSTART:19700330T023000 RRULE:FREQ=MONTHLY;INTERVAL=366;BYSETPOS=1;{_ALL_DAYS}", CASABLANCA),
    ),
    "a year of 48": (
        Spec("DTSTART:20960229T000000 RRULE:FREQ=YEARLY;INTERVAL=48;BYDAY=1MO,2TU,3WE,4TH,5FR", CASABLANCA),
    ),
    "366th day in week 53": (Spec("DTSTART:19700101T000000 RRULE:FREQ=YEARLY;BYWEEKNO=-53;BYYEARDAY=366", HAVANA),),
    "COUNT and BYSETPOS, months": (
        Spec(f"DTSTART:19700101T000000 RRULE:FREQ=MONTHLY;COUNT=1000;BYSETPOS=-1;{_ALL_DAYS}", NEW_YORK),
    ),
    "COUNT and BYSETPOS, all of a year": (
        Spec(
            f"DTSTART:19700101T000000 RRULE:FREQ=YEARLY;COUNT=1000;BYSETPOS=-366;{_ALL_DAYS};"
            f"BYHOUR={_TEN};BYMINUTE={_TEN};BYSECOND={_TEN}"
        ),
    ),
    "20 rules in gaps only, and each minute": (
        Spec("* * * * *"),
        *(
            Spec(_IN_A_GAP, zone, dst_gap="skip")
            for zone in (BERLIN, "Europe/Paris", "Europe/Rome", "Europe/Madrid", "Europe/Vienna") * 4
        ),
    ),
    "21 schedules together": tuple(
        Spec(_WEEKS, zone)
        for zone in ("Africa/Cairo", CASABLANCA, BERLIN, HAVANA, NEW_YORK, "Asia/Beirut", "America/Santiago") * 3
    ),
}
"""What makes it hard → the schedules of one task."""
