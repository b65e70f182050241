"""All dispatchers are killed, and started again after more than a minute: each task makes up for it as it wants to."""

import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.harness import Stack, postgresql_database
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "85"))
"""More than a minute, as what is late by no more than that has not been missed."""
MISSED = (8, 10, 12)
"""Seconds after the dispatchers' end at which there are nominal times."""
POLICIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "none": ({"after_outage": "none"}, ["skipped", "skipped", "skipped"]),
    "last": ({"after_outage": "last"}, ["skipped", "skipped", "succeeded"]),
    "all": ({"after_outage": "all"}, ["succeeded", "succeeded", "succeeded"]),
    "newest two": ({"after_outage": "all", "catch_up_runs": 2}, ["skipped", "succeeded", "succeeded"]),
    "young": ({"after_outage": "all", "catch_up_seconds": 30}, ["skipped", "skipped", "skipped"]),
}


def fires(stack: Stack, task: int, since: datetime, until: datetime) -> list[dict[str, Any]]:
    span = f"since={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}"
    return list(stack.get(f"tasks/{task}/fires/?{span}&count=1000")["fires"])


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_outage_of_all_dispatchers(make_stack, database, request):
    own = {} if database == "sqlite" else {"database": postgresql_database(request.getfixturevalue("postgresql").url)}
    stack: Stack = make_stack(**own)
    stack.web()
    dispatchers = [stack.dispatcher(f"dispatcher-{n}") for n in range(2)]
    stack.worker()
    ticking = stack.task("true", name="ticking", schedule="@every 2s", after_outage="all", catch_up_runs=3)
    begun = datetime.now(UTC)
    wait_until(lambda: len(stack.runs(ticking)) >= 2, 30, "it fires")

    moment = datetime.now(UTC).replace(microsecond=0)
    first, *others = [f"@at {moment + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ}" for n in MISSED]
    more = [{"schedule": each} for each in others]
    tasks = {
        name: stack.task("true", name=name, schedule=first, schedules=more, **fields)
        for name, (fields, _) in POLICIES.items()
    }
    for dispatcher in dispatchers:
        dispatcher.kill()
        dispatcher.wait()
    assert all(stack.counts(task) == {} for task in tasks.values()), "they were killed in time"

    time.sleep(OUTAGE_SECONDS)  # the outage itself
    for n in range(2):
        stack.dispatcher(f"dispatcher-{n}-again")
    span = (moment, moment + timedelta(seconds=60))
    for name, (_, expected) in POLICIES.items():
        told = lambda task=tasks[name]: [fire["outcome"] for fire in fires(stack, task, *span)]  # noqa: E731
        wait_until(lambda: told() == expected, 30, f"{name}: {expected}, and not {told()}")  # noqa: B023 - asked at once
        reasons = {fire["reason"] for fire in fires(stack, tasks[name], *span) if fire["outcome"] == "skipped"}
        assert reasons <= {"missed"}

    now = datetime.now(UTC)
    wait_until(lambda: stack.counts(ticking).keys() <= {"succeeded", "skipped"}, 60, "what ticks has caught up")
    told = fires(stack, ticking, begun, now - timedelta(seconds=2))
    assert Counter(fire["outcome"] for fire in told).keys() == {"succeeded", "skipped"}, "every time is accounted for"
    missed = [fire["utc"] for fire in told if fire["outcome"] == "skipped"]
    late = int((OUTAGE_SECONDS - 60) / 2) - 3
    assert late - 2 <= len(missed) <= late + 5
    assert len({fire["utc"] for fire in told}) == len(told) >= OUTAGE_SECONDS / 2
