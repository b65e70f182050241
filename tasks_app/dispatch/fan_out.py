"""Duty: runs that are carried out as many get their items, and end when all of those have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Count, F

from executors.base import RESULT_BYTES
from tasks_app import actions, expressions, transitions
from tasks_app.dispatch.matching import demand_of, meant_for, served_by, unfit
from tasks_app.expressions import ExpressionError
from tasks_app.models import FINAL, MOST_ITEMS, FanOut, TaskRun, run_of
from tasks_app.sql import claimed, insert, update
from tasks_app.transitions import Ending
from workers_app import registry

BATCH = 100
"""Fan-outs per pass."""
MOST = 1000
"""Items made for one of them in one pass."""


def begin(runs: list[TaskRun], now: datetime) -> list[UUID]:
    """Take up runs, which the caller has locked, that are carried out as many; return which it could."""
    spread: list[FanOut] = []
    broken: dict[UUID, str] = {}
    for run in runs:
        try:
            spread.append(_fan_out(run, now))
        except ExpressionError as error:
            broken[run.pk] = str(error)
    transitions.pass_over(broken, "expression", now)
    moved = transitions.spread([run for run in runs if run.pk not in broken], now)
    insert([each for each in spread if each.run_id in set(moved)])
    return moved


def _fan_out(run: TaskRun, now: datetime) -> FanOut:
    """With all its items; raises `ExpressionError`."""
    task = run.task
    items = _items(task.fan_out, run.params) if task.fan_out else _shards(run, now)
    return FanOut(
        run=run,
        items=items,
        total=len(items),
        position=0,
        parallel=task.fan_out_parallel,
        broadcast=not task.fan_out,
    )


def _items(text: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    found = expressions.evaluate(text, {"params": params})
    if not isinstance(found, list):
        raise ExpressionError(f"“{text}” is no list, so there is nothing to fan out over.")
    if len(found) > MOST_ITEMS:
        raise ExpressionError(f"“{text}” has {len(found):,} items; {MOST_ITEMS:,} are allowed.")
    return [{"item": item, "item_index": number} for number, item in enumerate(found)]


def _shards(run: TaskRun, now: datetime) -> list[dict[str, Any]]:
    """One for each worker that may carry out the run now."""
    workers = list(registry.available(now).order_by("name"))
    demand, served = demand_of(run.placement), served_by(workers)
    names = [worker.name for worker in workers if not unfit(worker, demand, served)]
    return [{"shard_index": n, "shard_total": len(names), "worker": name} for n, name in enumerate(names)]


def spread(now: datetime) -> int:
    """Make the next items, and end what is over; return how many of both."""
    with transaction.atomic(savepoint=False):
        rows = FanOut.objects.filter(completed_at=None).select_related("run__task").defer("items").order_by("run")
        found = list(claimed(rows)[:BATCH])
        counted = TaskRun.objects.filter(fan_out__in=found).exclude(status__in=FINAL).order_by()
        still = dict(counted.values_list("fan_out").annotate(Count("pk")))
        over = [each for each in found if _is_over(each) and not still.get(each.pk)]
        made = [run for each in found if not _is_over(each) for run in _next(each, still.get(each.pk, 0), now)]
        transitions.create(made)
        for each in found:
            if each.run.cancel_requested_at and still.get(each.pk):
                actions.cancel(list(each.runs.exclude(status__in=FINAL).filter(cancel_requested_at=None)), now)
            elif each.broadcast and still.get(each.pk):
                _free(each, now)
        _end(over, now)
    return len(made) + len(over)


def _is_over(each: FanOut) -> bool:
    """There is nothing more to make."""
    return each.position >= each.total or each.run.cancel_requested_at is not None or each.run.status in FINAL


def _next(each: FanOut, still: int, now: datetime) -> list[TaskRun]:
    """The runs of its next items, not stored yet."""
    number = min((each.parallel or MOST_ITEMS) - still, each.total - each.position, MOST)
    if number <= 0:
        return []
    items = FanOut.objects.values_list("items", flat=True).get(pk=each.pk)
    part = items[each.position : each.position + number]
    runs = [_item(each, each.position + place, values, now) for place, values in enumerate(part)]
    FanOut.objects.filter(pk=each.pk).update(position=F("position") + number)
    return runs


def _item(each: FanOut, number: int, values: dict[str, Any], now: datetime) -> TaskRun:
    run = each.run
    known = {"params": run.params | values, "scheduled_for": run.scheduled_for, "created_by_id": run.created_by_id}
    made = run_of(run.task, now=now, fan_out=each, item=number, origin=TaskRun.Origin.FAN_OUT, settled=True, **known)
    if each.broadcast:
        made.placement = meant_for(made.placement, values["worker"])
    return made


def _free(each: FanOut, now: datetime) -> None:
    """Items whose worker is gone may go to any other."""
    alive = set(registry.available(now).values_list("name", flat=True))
    waiting = each.runs.filter(status="pending").only("placement")
    stranded = [run.pk for run in waiting if demand_of(run.placement).worker not in alive | {""}]
    if stranded:
        TaskRun.objects.filter(pk__in=stranded, status="pending").update(placement=each.run.task.placement)


def _end(over: list[FanOut], now: datetime) -> None:
    """Bring the runs to their end of which all items have ended."""
    if not over:
        return
    runs = transitions.locked([(each.run_id, each.run.attempt) for each in over])
    transitions.end([_ending(run) for run in runs], now)
    update(FanOut, ["run_id"], [{"run_id": each.pk, "completed_at": now} for each in over])


def _ending(run: TaskRun) -> Ending:
    items = TaskRun.objects.filter(fan_out=run.pk).order_by("item").values_list("status", "result")
    counts = Counter(status for status, _ in items)
    result = _result(counts, (result for _, result in items))
    if run.cancel_requested_at:
        return Ending(run, "cancelled", "cancelled", result=result)
    bad = counts.total() - counts["succeeded"]
    if not bad:
        return Ending(run, "succeeded", "", result=result)
    told = ", ".join(f"{number:,} {status}" for status, number in sorted(counts.items()) if status != "succeeded")
    error = f"Of {counts.total():,} items not all have succeeded: {told}."
    return Ending(run, "failed", "items", result=result, error=error, failures=1)


def _result(counts: Counter[str], results: Iterable[Any]) -> dict[str, Any]:
    """How many ended how, and, while that is small, what each had as its result."""
    found = {"total": counts.total(), **counts}
    whole = {**found, "results": list(results)}
    return whole if len(msgspec.json.encode(whole)) <= RESULT_BYTES else found
