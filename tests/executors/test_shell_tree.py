"""Nothing of a command's process tree is left: after a cancellation, after its end, after the worker's end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from executors.base import AT_ONCE, Outcome
from executors.keeper.client import Command, CommandError, KeeperClient
from executors.shell import Shell
from tests.executors.helpers import Log, alive, context, offspring, until, written_pids

SETSID = "setsid sh -c 'echo $$ > {folder}/setsid; sleep 1000'"
DOUBLE_FORK = "(setsid sh -c '(sleep 1000 & echo $! > {folder}/double) & exit' &)"
WIPED = "(env -i setsid sh -c 'echo $$ > {folder}/wiped; exec sleep 1000' > /dev/null 2>&1 &)"
STUBBORN = "sh -c 'trap \"\" TERM HUP INT; echo $$ > {folder}/stubborn; while :; do sleep 1000; done'"
STOPPED = "sh -c 'echo $$ > {folder}/stopped; kill -STOP $$'"
SLEEPER = "sh -c 'echo $$ > {folder}/root; sleep 1000'"


async def begin(shell: Shell, script: str, folder: Path, pids: int, grace: float = 0.2) -> asyncio.Task[Outcome]:
    """Start `script` and wait until its processes have written `pids` pids."""
    attempt = context(script.replace("{folder}", str(folder)), config={"grace_seconds": grace})
    task = asyncio.create_task(shell.run(attempt))
    await until(lambda: len(written_pids(folder)) >= pids or task.done())
    return task


async def cancel(task: asyncio.Task[Outcome], *argument: str) -> float:
    begun = time.monotonic()
    task.cancel(*argument)
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("script", "pids"),
    [
        (SLEEPER, 1),
        (f"{SETSID} & wait; sleep 1000", 1),
        (f"{DOUBLE_FORK}; sleep 1000", 1),
        (f"{STUBBORN} & wait", 1),
        (f"{STOPPED} & sleep 1000", 1),
        (f"{SETSID} & {DOUBLE_FORK}; {STUBBORN} & {STOPPED} & {SLEEPER}", 5),
    ],
    ids=["plain", "setsid", "double-fork", "stubborn", "stopped", "all"],
)
async def test_cancelling_ends_the_whole_tree(shell: Shell, tmp_path: Path, script: str, pids: int) -> None:
    task = await begin(shell, script, tmp_path, pids)
    members = written_pids(tmp_path)
    assert all(alive(pid) for pid in members)
    took = await cancel(task)
    assert not any(alive(pid) for pid in members)
    assert took < 2


async def test_one_that_obeys_does_not_wait_for_the_grace(shell: Shell, tmp_path: Path) -> None:
    task = await begin(shell, SLEEPER, tmp_path, 1, grace=300)
    assert await cancel(task) < 1


async def test_the_grace_lets_it_clean_up(shell: Shell, tmp_path: Path) -> None:
    trap = "trap 'sleep 0.3; echo cleaned > {folder}/note; exit' TERM"
    script = trap + "; echo $$ > {folder}/root; while :; do sleep 0.01; done"
    log = Log()
    attempt = context(script.replace("{folder}", str(tmp_path)), log, config={"grace_seconds": 30})
    task = asyncio.create_task(shell.run(attempt))
    await until(lambda: (tmp_path / "root").exists())
    await cancel(task)
    assert (tmp_path / "note").read_text() == "cleaned\n"


@pytest.mark.parametrize("second", [False, True])
async def test_at_once_means_no_grace(shell: Shell, tmp_path: Path, second: bool) -> None:
    task = await begin(shell, STUBBORN, tmp_path, 1, grace=300)
    if second:  # The lease ends while the grace runs.
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
    assert await cancel(task, AT_ONCE) < 1
    assert not any(alive(pid) for pid in written_pids(tmp_path))


async def test_a_fork_bomb_of_sorts_is_ended(shell: Shell, tmp_path: Path) -> None:
    more = "n=0; while [ $n -lt 200 ]; do (trap '' TERM; sleep 1000) & n=$((n+1)); done; wait"
    script = "echo $$ > {folder}/root; " + more
    task = await begin(shell, script, tmp_path, 1, grace=0.05)
    await cancel(task)
    assert not psutil.Process(shell.keeper_pid).children(recursive=True)


@pytest.mark.parametrize("left", ["sleep 1000 & echo $! > {folder}/left", SETSID + " &", DOUBLE_FORK])
async def test_what_a_command_leaves_behind_is_ended(shell: Shell, tmp_path: Path, left: str) -> None:
    script = f'{left}\nwhile [ -z "$(cat {{folder}}/* 2>/dev/null)" ]; do sleep 0.01; done'
    begun = time.monotonic()
    outcome = await shell.run(context(script.replace("{folder}", str(tmp_path)), config={"grace_seconds": 0.2}))
    assert outcome.succeeded
    assert time.monotonic() - begun < 2
    await until(lambda: not any(alive(pid) for pid in written_pids(tmp_path)))
    await until(lambda: not psutil.Process(shell.keeper_pid).children())


async def test_left_behind_without_a_trace_is_ended_when_no_older_attempt_lives(shell: Shell, tmp_path: Path) -> None:
    older_files, folder = tmp_path / "older", tmp_path / "other"
    older_files.mkdir()
    folder.mkdir()
    older = await begin(shell, SLEEPER, older_files, 1)
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)  # Births are counted in clock ticks.
    await until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > begun + 2 / os.sysconf("SC_CLK_TCK"))
    script = WIPED + "; while [ ! -s {folder}/wiped ]; do sleep 0.01; done"
    await (await begin(shell, script, folder, 1))
    (pid,) = written_pids(folder)
    assert alive(pid)
    await cancel(older)
    await until(lambda: not alive(pid))


async def test_a_living_attempts_background_is_left_alone(shell: Shell, tmp_path: Path) -> None:
    task = await begin(shell, f"{DOUBLE_FORK}; echo $$ > {{folder}}/root; sleep 1000", tmp_path, 2)
    for _ in range(5):  # That the other's leftover ends shows that the keeper has looked around.
        log = Log()
        await shell.run(context("sleep 1000 & echo $!", log, run_id="another"))
        await until(lambda log=log: not alive(int(log.text)))
    assert all(alive(pid) for pid in written_pids(tmp_path))
    await cancel(task)


async def test_the_outcome_does_not_wait_for_a_background_writer(shell: Shell) -> None:
    log = Log()
    begun = time.monotonic()
    outcome = await shell.run(context("yes & echo root done", log, config={"grace_seconds": 0}))
    assert outcome.succeeded
    assert time.monotonic() - begun < 2
    assert "root done" in log.text


WORKER = """
import asyncio, sys
from executors.base import Context
from executors.keeper.client import Command, CommandError, KeeperClient
from executors.shell import Shell

async def main():
    shell = Shell()
    await shell.start()
    print(shell.keeper_pid, flush=True)
    scripts = enumerate(sys.argv[1:])
    await asyncio.gather(*(shell.run(Context(str(n), 1, "t", script, {}, {}, "now", len)) for n, script in scripts))

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_with_the_worker_all_its_commands_end(tmp_path: Path, number: int) -> None:
    scripts = [script.replace("{folder}", str(tmp_path)) for script in (SETSID, DOUBLE_FORK, WIPED, STUBBORN, STOPPED)]
    scripts = [f"{script}; sleep 1000" for script in scripts]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    pipe = asyncio.subprocess.PIPE
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, *scripts, stdout=pipe, env=environment)
    assert worker.stdout
    keeper = int(await worker.stdout.readline())
    await until(lambda: len(written_pids(tmp_path)) >= 5)
    worker.send_signal(number)
    await worker.wait()
    await until(lambda: not any(alive(pid) for pid in [keeper, *written_pids(tmp_path)]), 5)


async def test_the_keeper_ignores_what_ends_a_terminal_session(shell: Shell) -> None:
    assert shell.keeper_pid
    assert os.getsid(shell.keeper_pid) == shell.keeper_pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(shell.keeper_pid, number)
    assert (await shell.run(context("true"))).succeeded


async def test_when_the_keeper_dies_its_commands_end_and_the_next_one_runs(shell: Shell, tmp_path: Path) -> None:
    children = set(offspring())
    task = await begin(shell, f"{SETSID} & {DOUBLE_FORK}; {STUBBORN}", tmp_path, 3)
    first = shell.keeper_pid
    assert first
    roots = len(psutil.Process(first).children())
    cancelled = asyncio.create_task(shell.run(context("sleep 1000")))
    await until(lambda: len(psutil.Process(first).children()) > roots)
    os.kill(first, signal.SIGKILL)
    cancelled.cancel()
    outcome = await asyncio.wait_for(task, 5)
    assert not outcome.succeeded
    assert outcome.error == "The worker's helper process that ran the command died; the command was ended."
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert not any(alive(pid) for pid in written_pids(tmp_path))
    assert not [child for child in offspring() if child not in children]
    assert (await shell.run(context("true"))).succeeded
    assert shell.keeper_pid != first


async def test_a_keeper_that_does_not_answer_is_replaced() -> None:
    client = KeeperClient(patience=0.3)
    await client.start()
    log, env = Log(), {"SCHEDULER_RUN_ID": "r", "SCHEDULER_ATTEMPT": "1"}
    command = Command(["/bin/sh", "-c", "echo $$; exec sleep 1000"], env, log, grace=0.1)
    task = asyncio.create_task(client.run(command))
    await until(lambda: log.chunks)
    assert client.pid
    os.kill(client.pid, signal.SIGSTOP)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert not alive(int(log.text))
    assert await client.run(Command(["/bin/true"], env, log)) == 0
    await client.close()
    with pytest.raises(CommandError, match="stopping"):
        await client.run(command)


async def test_ends_of_many_attempts_at_the_moment_the_keeper_dies(shell: Shell) -> None:
    attempts = [asyncio.create_task(shell.run(context("true", run_id=str(n)))) for n in range(200)]
    await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
    assert shell.keeper_pid
    os.kill(shell.keeper_pid, signal.SIGKILL)
    outcomes = await asyncio.wait_for(asyncio.gather(*attempts), 20)
    assert all(outcome.succeeded or "helper process" in outcome.error for outcome in outcomes)
    await until(lambda: len(offspring()) <= 1)
