"""Commands end by themselves when the worker's lease does, even if the worker stands still."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from executors.base import Leased
from executors.http import Http
from executors.shell import Shell
from tests.executors.helpers import alive, context, until, written_pids


async def test_what_runs_beyond_the_lease_is_ended_without_a_word_of_the_worker(shell: Shell, tmp_path: Path) -> None:
    shell.renew(0.5)
    begun = time.monotonic()
    child = f"setsid sh -c 'echo $$ > {tmp_path}/child; sleep 1000'"
    script = f"trap '' TERM; ({child} &); echo $$ > {tmp_path}/root; sleep 1000"
    task = asyncio.create_task(shell.run(context(script)))
    await until(lambda: len(written_pids(tmp_path)) == 2)
    pids = written_pids(tmp_path)
    outcome = await task
    assert outcome.exit_code == -9
    assert 0.4 < time.monotonic() - begun < 3
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_a_lease_that_is_renewed_ends_nothing_and_one_that_came_back_starts_again(shell: Shell) -> None:
    async def renew() -> None:
        while True:
            shell.renew(0.4)
            await asyncio.sleep(0.1)

    renewing = asyncio.create_task(renew())
    assert (await shell.run(context("sleep 1"))).exit_code == 0
    renewing.cancel()
    assert (await shell.run(context("sleep 10"))).exit_code == -9
    shell.renew(10)
    assert (await shell.run(context("sleep 0.5"))).exit_code == 0


def test_only_executors_with_processes_of_their_own_need_to_know() -> None:
    assert isinstance(Shell(), Leased)
    assert not isinstance(Http(), Leased)
