"""Many commands, and much output: nothing leaks, nothing grows, nobody starves."""

from __future__ import annotations

import asyncio
import time

import psutil

from executors.output import HeadTail
from executors.shell import Shell
from tests.executors.helpers import Log, context, offspring, open_files, rss, until


async def run_many(shell: Shell, count: int, at_once: int, command: str = "true") -> None:
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            outcome = await shell.run(context(command, run_id=str(number)))
            assert outcome.succeeded, outcome

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))


async def test_thousands_of_runs_leave_nothing_behind(shell: Shell) -> None:
    keeper = psutil.Process(shell.keeper_pid)
    await run_many(shell, 100, 100)
    before = open_files(), keeper.num_fds(), rss(keeper.pid)
    await run_many(shell, 2000, 100)
    assert (open_files(), keeper.num_fds()) == before[:2]
    assert rss(keeper.pid) - before[2] < 1024 * 1024
    assert not keeper.children()
    assert [child.pid for child in offspring()] == [keeper.pid]


async def test_the_keeper_is_small(shell: Shell) -> None:
    await run_many(shell, 50, 10)
    assert rss(shell.keeper_pid) < 13 * 1024 * 1024


async def test_five_hundred_at_once(shell: Shell) -> None:
    logs = [Log() for _ in range(500)]
    attempts = [
        asyncio.create_task(shell.run(context(f"echo {n}; exec sleep 1000", log, run_id=str(n))))
        for n, log in enumerate(logs)
    ]
    await until(lambda: all(log.chunks for log in logs), 20)
    assert [int(log.text) for log in logs] == list(range(500))
    begun = time.monotonic()
    for attempt in attempts:
        attempt.cancel()
    await asyncio.wait(attempts)
    assert time.monotonic() - begun < 5
    assert all(attempt.cancelled() for attempt in attempts)
    assert not psutil.Process(shell.keeper_pid).children()


async def test_a_gigabyte_of_output_costs_no_memory_and_starves_nobody(shell: Shell) -> None:
    output = HeadTail(1024 * 1024)
    total = 0

    def log(chunk: bytes) -> None:
        nonlocal total
        total += len(chunk)
        output.feed(chunk)

    before = highest = rss()
    task = asyncio.create_task(shell.run(context("head -c 1G /dev/zero", log)))
    slowest = 0.0
    while not task.done():
        begun = time.monotonic()
        assert (await shell.run(context("true", run_id="beside"))).succeeded
        slowest = max(slowest, time.monotonic() - begun)
        highest = max(highest, rss())
    assert (await task).succeeded
    assert total == 1024**3
    assert highest - before < 16 * 1024 * 1024
    assert slowest < 1


async def test_a_slow_reader_of_replies_does_not_stop_requests(shell: Shell) -> None:
    attempts = [asyncio.create_task(shell.run(context("x" * 60_000 + "; true", run_id=str(n)))) for n in range(30)]
    outcomes = await asyncio.gather(*attempts)  # More than the connection holds at a time.
    assert {outcome.exit_code for outcome in outcomes} == {0}
