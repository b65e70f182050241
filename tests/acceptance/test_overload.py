"""Far more clients than threads: each is served soon or told to come again, and all that was accepted is there."""

import asyncio
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.acceptance.harness import Stack, postgresql_database, sqlite_database

pytestmark = pytest.mark.acceptance

CLIENTS = 300
SECONDS = 5.0
REST_SECONDS = 0.2
"""Less patience than asked for."""
ALIVE, READY = "/healthz", "/readyz"
WATCHED = (ALIVE, READY, "/metrics")


@dataclass
class Storm:
    """Clients that trigger one task, each again as soon as it is answered."""

    stack: Stack
    task: int
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Seconds from question to answer of those accepted."""

    async def rage(self) -> None:
        self.until = time.monotonic() + SECONDS
        headers = {"Authorization": f"Api-Key {self.stack.key}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            await asyncio.gather(*(self._client(session) for _ in range(CLIENTS)))

    async def _client(self, session: aiohttp.ClientSession) -> None:
        url = f"http://127.0.0.1:{self.stack.port}/api/v1/tasks/{self.task}/run/"
        while time.monotonic() < self.until:
            began = time.monotonic()
            async with session.post(url, json={}) as answer:
                body = await answer.json()
            self.statuses[answer.status] += 1
            if answer.status == 202:
                self.accepted.append(body["id"])
                self.waits.append(time.monotonic() - began)
            else:
                assert body["error"]["code"] == "too_many_requests"
                assert int(answer.headers["Retry-After"]) >= 1
                await asyncio.sleep(REST_SECONDS)


@dataclass
class Watcher:
    """Asks again and again whether the process is alive, whether it is ready, and what it has counted."""

    address: str
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """How long it took to hear that the process is alive."""

    def __enter__(self) -> "Watcher":
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=[path]) for path in WATCHED]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, path: str) -> None:
        while not self._stop.wait(0.05 if path == ALIVE else 0.5):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                    self.statuses[path, answer.status] += 1
            except urllib.error.HTTPError as error:
                self.statuses[path, error.code] += 1
            if path == ALIVE:
                self.seconds.append(time.monotonic() - began)


def shed(stack: Stack) -> int:
    """How many requests the service says it refused."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith('scheduler_events_total{kind="shed_')))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_storm_of_triggers(kind, make_stack, tmp_path, request):
    database = sqlite_database(tmp_path)
    if kind == "postgresql":
        database = postgresql_database(request.getfixturevalue("postgresql").url)
    stack = make_stack(database=database)
    stack.web()
    storm = Storm(stack, stack.task("true"))
    with Watcher(f"http://127.0.0.1:{stack.port}") as watcher:
        asyncio.run(storm.rage())
    slowest, usual = max(watcher.seconds), statistics.median(watcher.seconds)
    print(
        f"{kind}: {dict(storm.statuses)}, accepted within {max(storm.waits):.2f} s (median "
        f"{statistics.median(storm.waits):.2f}), alive within {slowest:.2f} s (median {usual:.3f})"
    )
    assert set(storm.statuses) == {202, 429}
    assert {path for path, _ in watcher.statuses} == set(WATCHED)
    assert not [path for path, status in watcher.statuses if status == 429]
    assert {status for path, status in watcher.statuses if path != READY} == {200}
    assert shed(stack) == storm.statuses[429]
    # Not the slowest: SQLite lets its writers in as it comes, and now and then one waits long.
    assert statistics.quantiles(storm.waits, n=20)[-1] < 5
    assert usual < 0.25
    assert slowest < 2
    assert {run["id"] for run in stack.runs(storm.task)} == set(storm.accepted)
    assert len(storm.accepted) == len(set(storm.accepted)) == storm.statuses[202]
