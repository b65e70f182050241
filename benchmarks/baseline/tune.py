"""Which configurations of the baseline there are, and which of the tuned ones is the fastest here."""

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks import servers
from benchmarks.baseline.rival import Rival, Tuning

CORES = len(os.sched_getaffinity(0))
TRIED_RUNS = 1_000
BROKERS = ("redis-lists", "rabbitmq")
"""Celery has no streams; ours is a kombu transport of this project."""
POOLS = (("threads", 4, CORES), ("threads", 8, CORES), ("prefork", CORES + 1, 1), ("prefork", 2 * CORES, 1))
"""Kind, concurrency and number of worker processes."""


def tunings() -> list[Tuning]:
    """The candidates, the one that has been the fastest so far first. Raises `servers.Missing`."""
    return [
        Tuning("tuned", broker, pool, concurrency, workers)
        for pool, concurrency, workers in POOLS
        for broker in reversed(brokers())
    ]


def default() -> Tuning:
    """Raises `servers.Missing`."""
    return Tuning("default", brokers()[0])


def brokers() -> list[str]:
    """Those that are here. Raises `servers.Missing`."""
    servers.address("postgresql")
    here = [name for name in BROKERS if name.partition("-")[0] in servers.addresses()]
    if not here:
        raise servers.Missing("there is neither redis nor rabbitmq (python -m services start)")
    return here


def fastest(folder: Path, tell: Callable[[str], None]) -> tuple[Tuning, dict[str, float]]:
    """The best candidate, and what each came to in the better one of two short rounds."""
    rates: dict[Tuning, float] = {}
    for tuning in tunings():
        with Rival(tuning, TRIED_RUNS, folder) as rival:
            rival.round(TRIED_RUNS // 5)
            rates[tuning] = max(rival.round(TRIED_RUNS).per_minute for _ in range(2))
        tell(f"tuning {describe(tuning)}: {rates[tuning]:,.0f} a minute")
    best = max(rates, key=lambda tuning: rates[tuning])
    return best, {describe(tuning): round(rate) for tuning, rate in rates.items()}


def describe(tuning: Tuning) -> str:
    return f"{tuning.workers} × {tuning.pool}({tuning.concurrency}) on {tuning.broker}"
