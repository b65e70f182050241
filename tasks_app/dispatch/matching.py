"""Which workers may carry out a run: by namespace, executor and labels."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from access_app.models import Namespace
from workers_app.models import WorkerInfo


@dataclass(frozen=True, slots=True)
class Demand:
    """What a placement says."""

    namespace: int
    executor: str
    wanted: tuple[tuple[str, str], ...]
    unwanted: tuple[tuple[str, str], ...]
    worker: str = ""
    """The name of the one it is meant for, if any."""


@lru_cache(maxsize=1024)
def demand_of(placement: str) -> Demand:
    namespace, executor, wanted, unwanted, *worker = json.loads(placement)
    return Demand(namespace, executor, tuple(map(tuple, wanted)), tuple(map(tuple, unwanted)), *worker)


def meant_for(placement: str, worker: str) -> str:
    """The placement of a run that is meant for one worker (its name)."""
    return json.dumps([*json.loads(placement)[:4], worker], separators=(",", ":"))


def unfit(worker: WorkerInfo, demand: Demand, served: Mapping[int, set[int]]) -> str:
    """Why `worker` may not have such a run; empty: it may. `served` is what `served_by` tells."""
    if demand.worker not in ("", worker.name):
        return f"the run is meant for worker {demand.worker}"
    if demand.executor not in worker.executors:
        return f"it has no executor “{demand.executor}”"
    if demand.namespace not in served.get(worker.pk, (demand.namespace,)):
        return "it serves other namespaces"
    for key, value in demand.wanted:
        if worker.labels.get(key) != value:
            return f"it has no label {key}={value}"
    for key, value in demand.unwanted:
        if worker.labels.get(key) == value:
            return f"it has the excluded label {key}={value}"
    return ""


def served_by(workers: Iterable[WorkerInfo]) -> dict[int, set[int]]:
    """The namespaces that each worker serves; those that serve all are left out."""
    names = {name for worker in workers for name in worker.namespaces}
    if not names:
        return {}
    known = dict(Namespace.objects.filter(name__in=names).order_by().values_list("name", "pk"))
    return {each.pk: {known[name] for name in each.namespaces if name in known} for each in workers if each.namespaces}
