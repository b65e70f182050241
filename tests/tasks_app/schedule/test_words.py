"""Every kind of schedule in words, English and Chinese."""

import pytest

from tasks_app.schedule import Spec, read, words
from tests.tasks_app.schedule.test_cron import BERLIN, utc

START = utc("2024-06-01 06:00")
CASES = [
    (Spec(), "Only when triggered by hand", "仅手动触发"),
    (Spec("30 2 * * MON-FRI"), "At 02:30, Monday through Friday", "在 02:30, 星期一 到 星期五"),
    (Spec("0 0 L * *"), "At 00:00, on the last day of the month", "在 00:00, 每月的最后一天"),
    (Spec("0 0 L-3 * *"), "At 00:00, 3 days before the last day of the month", "时 0，分 0，日 L-3"),
    (
        Spec("0 0 15W * *"),
        "At 00:00, on the weekday nearest day 15 of the month",
        "在 00:00, 每月的 最接近 15 号的平日",
    ),
    (Spec("0 0 13 * FRI"), "At 00:00 on the 13th day of month and on Friday", "时 0，分 0，日 13 或 星期 FRI"),
    (Spec("0 0 15W,L-1 1 *"), "hour 0, minute 0, day 15W,L-1, month 1", None),
    (
        Spec("30 0 0 ? * 6L 2026-2028,2030", dialect="quartz"),
        "At 00:00:30, on the last Friday of the month, in 2026–2028, 2030",
        None,
    ),
    (Spec("@every 1d12h"), "Every 1 day 12 hours", "每 1 天 12 小时"),
    (
        Spec("@every 2h from 2024-06-01T08:00", BERLIN),
        "Every 2 hours, counted from 2024-06-01 08:00:00 Europe/Berlin",
        None,
    ),
    (Spec("@after 10m"), "10 minutes after the end of the last run", "上次运行结束 10 分钟 后"),
    (Spec("@at 2024-06-01T08:00Z"), "Once, at 2024-06-01 08:00:00 UTC", "一次，于 2024-06-01 08:00:00 UTC"),
    (
        Spec("DTSTART:20240601T083000 RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=MO,-1FR;COUNT=5"),
        "Every 2 months, weekday MO, -1FR, at 08:30, from 2024-06-01 08:30:00, 5 times",
        "每 2 个月，星期 MO, -1FR，于 08:30，从 2024-06-01 08:30:00 开始，共 5 次",
    ),
    (
        Spec("DTSTART:20240601T083000 RRULE:FREQ=YEARLY;BYMONTH=6;UNTIL=20300601"),
        "Every year, month 6, day 1, at 08:30, from 2024-06-01 08:30:00, until 2030-06-01 23:59:59",
        None,
    ),
    (
        Spec("0 9 * * FRI", BERLIN, every_nth=2, starts_at=START, ends_at=utc("2025-01-01")),
        "At 09:00, only on Friday, only one time in 2, counted from 2024-06-01 08:00:00, "
        "from 2024-06-01 08:00:00 Europe/Berlin, before 2025-01-01 01:00:00 Europe/Berlin",
        None,
    ),
]


@pytest.mark.parametrize(("spec", "english", "chinese"), CASES)
def test_words(spec: Spec, english: str, chinese: str | None) -> None:
    plan = read((spec,), "team/task")
    assert words(plan) == english
    if chinese:
        assert words(plan, "zh") == chinese
    assert words(plan, "zh").strip()


def test_several_and_a_spread() -> None:
    plan = read((Spec("0 9 * * *", spread_seconds=86_400), Spec("@every 1h")), "team/task")
    first, second = words(plan).split("; and ")
    assert first.startswith("At 09:00, ")
    assert first.endswith(" later (spread)")
    assert second == "Every 1 hour"
