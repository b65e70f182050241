"""Duty 1: write down what workers reported."""

from datetime import datetime, timedelta

from django.db import transaction

from tasks_app import transitions
from tasks_app.dispatch import circuits, decide
from tasks_app.dispatch.giving_up import pause_failing
from tasks_app.models import RunLog, TaskRun
from tasks_app.sql import insert
from workers_app.events import note
from workers_app.messaging import protocol


def record(messages: list[protocol.ToDispatcher], now: datetime, *, troubled: bool = True) -> None:
    """Commit all reports among `messages` in one transaction; `troubled` is as in `Outlook`."""
    reports = [item for message in messages if isinstance(message, protocol.Reports) for item in message.items]
    if not reports:
        return
    with transaction.atomic():
        # An attempt that ended since it started is written once: its end knows when it started.
        over = {r.key for r in reports if isinstance(r, protocol.Finished) and r.seconds is not None}
        _started([r for r in reports if isinstance(r, protocol.Started) and r.key not in over], now)
        _output([r for r in reports if isinstance(r, protocol.Output)])
        _ended([r for r in reports if isinstance(r, protocol.Finished | protocol.Returned)], now, troubled)


def _started(reports: list[protocol.Started], now: datetime) -> None:
    transitions.start((r.key.run, r.key.attempt, now - timedelta(seconds=r.ago)) for r in reports)


def _output(pieces: list[protocol.Output]) -> None:
    """Store output of current attempts; that of an earlier one came too late and is dropped."""
    if not pieces:
        return
    current = set(TaskRun.objects.filter(pk__in={p.key.run for p in pieces}).values_list("pk", "attempt"))
    rows = [
        RunLog(run_id=p.key.run, position=RunLog.position_of(p.key.attempt, p.piece), text=p.text)
        for p in pieces
        if (p.key.run, p.key.attempt) in current
    ]
    insert(rows)


def _ended(reports: list[protocol.Finished | protocol.Returned], now: datetime, troubled: bool) -> None:
    # Of several attempts of a run only the highest can be the current one.
    by_run = {report.key.run: report for report in sorted(reports, key=lambda report: report.key.attempt)}
    keys = ((run, report.key.attempt) for run, report in by_run.items())
    runs = transitions.locked(keys, **circuits.needed(troubled))
    for run in set(by_run) - {run.pk for run in runs}:
        note("late_report", "Run %s: a report of attempt %d came too late, or twice.", run, by_run[run].key.attempt)
    order = {report.key.run: number for number, report in enumerate(reports)}
    runs.sort(key=lambda run: order[run.pk])
    endings = [_ending(run, by_run[run.pk], now) for run in runs]
    transitions.end(endings, now)
    circuits.record(endings, now)
    pause_failing(endings, now)


def _ending(run: TaskRun, report: protocol.Finished | protocol.Returned, now: datetime) -> transitions.Ending:
    if isinstance(report, protocol.Finished):
        if report.seconds is not None:
            # What the worker's monotonic clock measured, laid back from the database's time.
            run.started_at = max(run.assigned_at or now, now - timedelta(seconds=report.seconds))
        return decide.finished(run, report, now)
    note(f"returned_{report.reason}", "Run %s: attempt %d was given back.", run.pk, run.attempt)
    return decide.returned(run, report, now)
