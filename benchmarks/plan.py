"""What is measured in which order, and about how long it takes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from benchmarks import (
    applying,
    concurrency,
    cron,
    latency,
    memory,
    planning,
    scale,
    servers,
    sustained,
    throughput,
    waiting,
)
from benchmarks.baseline import measure as baseline
from benchmarks.size import Size
from benchmarks.stack import Stack

Measure = Callable[[Stack, Size, Callable[[str], None]], dict[str, Any]]

NAMES = (
    *("floor", "throughput", "baseline", "latency", "cron", "concurrency", "memory", "streams"),
    *("blocked", "tenants", "flow", "children", "fan_out", "rate"),
    *("planning", "apply", "fires", "scale"),
)
"""What `--only` knows."""
MEASURES: dict[str, Measure] = {
    # In this order: memory first, while the processes have done nothing yet; the largest load last.
    "memory": memory.measure,
    "baseline": baseline.measure,
    "shell": throughput.shell,
    "http": throughput.http,
    "latency": latency.measure,
    "cron": cron.measure,
    "concurrency": concurrency.measure,
    "flow": waiting.flow,
    "children": waiting.children,
    "fan_out": waiting.fan_out,
    "rate": waiting.rate,
    "blocked": waiting.blocked,
    "tenants": waiting.tenants,
    "planning": planning.measure,
    "apply": applying.measure,
    # These fill the database with tasks.
    "fires": sustained.measure,
    "scale": scale.measure,
}


@dataclass(frozen=True)
class Step:
    """One measure on one stack; `on` is empty where it needs none."""

    measure: str
    on: str
    seconds: float
    """About so long."""


def stacks(size: Size, databases: Collection[str], brokers: Collection[str]) -> list[tuple[str, str]]:
    """The (database, broker) pairs to measure, the one we expect most of first; empty collections mean all."""
    pairs = dict.fromkeys(_known((kind, broker)) for kind, found in size.matrix.items() for broker in found)
    return [
        (kind, broker)
        for kind, broker in pairs
        if (not databases or kind in databases) and (not brokers or broker in brokers)
    ]


def _known(pair: tuple[str, str]) -> tuple[str, str]:
    """Lists where the streams are not known yet and nothing else would stand for them."""
    kind, broker = pair
    return (kind, broker if servers.streams_known() else broker.replace("streams", "lists"))


def steps(stack: str, first: bool, only: Collection[str], size: Size) -> list[Step]:
    """What is measured on a stack: its throughput, and on the first one everything else, too."""
    wanted = set(only) - {"floor", "streams", "throughput"} if first else set()
    if "throughput" in only:
        # The baseline's rounds take turns with ours, so they bring the shell's figure, too.
        wanted |= set() if "baseline" in wanted else {"shell"}
        wanted |= {"http"} if first or size.name == "full" else set()
    return [Step(name, stack, seconds(name, size)) for name in MEASURES if name in wanted]


def seconds(measure: str, size: Size) -> float:
    """About how long it takes on two cores."""
    tunings = 90 if size.try_tunings else 0
    shell = 3 + size.rounds * size.runs / 550
    return {
        "floor": 6 * size.floor_seconds + 2,
        "memory": 2 + size.idle_seconds,
        "shell": shell,
        "baseline": 10 + tunings + shell + size.rounds * size.rival_runs / 150,
        "http": 2 + size.http_rounds * size.http_runs / 450,
        "latency": 6 + (size.latency_rounds + 1) * (size.latency_seconds + 1),
        "cron": 16 + 10 * size.cron_fires,
        "concurrency": sum(7 + number / 150 for number in size.at_once),
        "flow": 4 + size.flow_tasks / 50,
        "children": 5 + size.child_seconds,
        "fan_out": 3 + size.fan_out_items / 200,
        "rate": 12 + 1.2 * size.rate_seconds,
        "blocked": 20 + size.waiting_runs / 4_000,
        "tenants": 10 + size.waiting_runs / 4_000,
        "planning": 3 + size.planning_seconds,
        "apply": 2 + size.apply_tasks / 500,
        "fires": 10 + size.fires_tasks / 1_200 + size.beat_seconds,
        "scale": 4 + size.scale_tasks / 8_000 + size.scale_seconds,
        "streams": size.stream_rounds * len(size.stream_prefetches) * (7 + size.stream_tasks / 500),
    }[measure]
