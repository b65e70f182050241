"""What becomes of a run when an attempt of it ended: pure rules over values."""

import random
from datetime import datetime, timedelta

from tasks_app import retry
from tasks_app.models import Task, TaskRun
from tasks_app.transitions import Ending
from workers_app.messaging import protocol

MAX_LOSSES = 3
"""A run that lost so many workers is stopped: it may be what kills them."""


def finished(run: TaskRun, report: protocol.Finished, now: datetime) -> Ending:
    """The attempt ended by itself, by its time limit, or because it was cancelled."""
    facts = {"exit_code": report.exit_code, "result": report.result, "error": report.error}
    if not report.reason:
        return Ending(run, "succeeded", "", **facts)
    if report.reason == "cancelled" or run.cancel_requested_at:
        return Ending(run, "cancelled", "cancelled", **facts)
    failures = run.failures + 1
    wanted = retry.is_wanted(report.reason, report.exit_code, run.task.retry_on, run.task.never_retry_on)
    if not (wanted and retry.may_retry(failures, run.task.max_attempts)):
        return Ending(run, "failed", report.reason, failures=1, **facts)
    return Ending(run, "pending", report.reason, available_at=_next_try(run, failures, now), failures=1, **facts)


def returned(run: TaskRun, report: protocol.Returned, now: datetime) -> Ending:
    """The worker gave the attempt back; nothing is held against the run."""
    if report.reason == "unable":
        error = "The worker was not able to start it; its log says why."
        return _again(run, report.reason, error, now + _pause(run), begun=report.begun)
    return _again(run, report.reason, "The worker gave the attempt back.", now, begun=report.begun)


def lost(run: TaskRun, now: datetime, *, blame: bool = True) -> Ending:
    """The worker is gone, and its lease with it. One that gave up was not killed by what it ran.

    Without `blame` nothing is held against the run: it is not known that the worker died.
    """
    if run.worker and run.worker.gave_up:
        return _again(run, "lease_ended", "The worker could not renew its lease and ended this attempt.", now)
    error = "The worker was lost while it had this attempt."
    if not blame:
        return _again(run, "worker_lost", f"{error} The broker or the database was away then.", now)
    return _again(run, "worker_lost", error, now, losses=1)


def _again(run: TaskRun, reason: str, error: str, at: datetime, *, losses: int = 0, begun: bool = True) -> Ending:
    """Another attempt from `at` on, unless the run must not have one. `begun`: this one may have done something."""
    if run.cancel_requested_at:
        return Ending(run, "cancelled", "cancelled", losses=losses)
    if begun and run.task.delivery == Task.Delivery.AT_MOST_ONCE:
        error = f"{error} It may have begun, and the task is to be delivered at most once."
        return Ending(run, "failed", "worker_lost", error=error, losses=losses)
    if losses and run.losses + losses >= MAX_LOSSES:
        error = f"{error} That happened {MAX_LOSSES} times, so the run is not started again."
        return Ending(run, "failed", "worker_lost", error=error, losses=losses)
    return Ending(run, "pending", reason, error=error, available_at=at, losses=losses)


def _pause(run: TaskRun) -> timedelta:
    """Before a run that was handed back tries another worker: the longer, the more often that happened."""
    handed_back = max(1, run.attempt - run.failures - run.losses)
    return timedelta(seconds=retry.delay(handed_back, base=1, cap=60, jitter=random.random()))  # noqa: S311 - as below


def _next_try(run: TaskRun, failures: int, now: datetime) -> datetime:
    task = run.task
    seconds = retry.delay(
        failures,
        base=task.retry_delay_seconds,
        cap=task.retry_max_delay_seconds,
        jitter=random.random(),  # noqa: S311 - spreads load, keeps no secret
    )
    return now + timedelta(seconds=seconds)
