"""What every executor must do, whatever it carries out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from executors.base import AT_ONCE, ConfigError, Context, Executor, Outcome, Spec
from executors.http import Http
from executors.shell import Shell
from executors.specs import HTTP, SHELL
from tests.executors.helpers import Log, context, offspring, open_files, until
from tests.executors.server import Server


class Case:
    """One executor, and commands that make it do what the contract is about."""

    def __init__(self, spec: Spec, executor: Executor, server: Server) -> None:
        self.spec = spec
        self.executor = executor
        shell = spec is SHELL
        self.says_hello = "echo hello" if shell else server.url("text/hello")
        self.fails = "exit 3" if shell else server.url("status/500")
        self.hangs = "echo begun; sleep 1000" if shell else server.url("hang/body")
        self.bad_config: dict[str, Any] = {"cwd": "relative"} if shell else {"method": "FETCH"}
        self.bad_field = "config.cwd" if shell else "config.method"

    def says(self, word: str) -> str:
        return self.says_hello.replace("hello", word)

    async def run(self, command: str, log: Log | None = None, **changes: Any) -> Outcome:
        return await self.executor.run(self.context(command, log, **changes))

    def context(self, command: str, log: Log | None = None, **changes: Any) -> Context:
        return context(command, log, **changes)

    async def hang(self, run_id: str = "hanging", **changes: Any) -> asyncio.Task[Outcome]:
        """An attempt that has begun and would never end."""
        log = Log()
        task = asyncio.create_task(self.run(self.hangs, log, run_id=run_id, **changes))
        await until(lambda: log.chunks)
        return task


@pytest.fixture(params=[SHELL, HTTP], ids=["shell", "http"])
async def case(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Case]:
    executor: Executor = Shell() if request.param is SHELL else Http()
    await executor.start()
    yield Case(request.param, executor, server)
    await executor.close()


async def test_success(case: Case) -> None:
    outcome = await case.run(case.says_hello)
    assert outcome.succeeded
    assert outcome.error == ""


async def test_failure_is_an_outcome_with_a_sentence(case: Case) -> None:
    outcome = await case.run(case.fails)
    assert not outcome.succeeded
    assert outcome.exit_code in (3, 500)
    assert outcome.error.endswith(".")
    assert str(outcome.exit_code) in outcome.error


async def test_output_reaches_the_log(case: Case) -> None:
    log = Log()
    await case.run(case.says_hello, log)
    assert "hello" in log.text


async def test_output_reaches_the_log_while_the_attempt_runs(case: Case) -> None:
    task = await case.hang()
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("argument", [[], [AT_ONCE]])
async def test_cancelling_ends_it_promptly_and_passes_the_error(case: Case, argument: list[str]) -> None:
    task = await case.hang()
    begun = time.monotonic()
    task.cancel(*argument)
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert list(caught.value.args) == argument
    assert time.monotonic() - begun < 2


async def test_cancelled_before_it_began(case: Case) -> None:
    task = asyncio.create_task(case.run(case.hangs))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_time_limit_from_outside(case: Case) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await case.run(case.hangs)


def test_config_errors_name_the_field(case: Case) -> None:
    with pytest.raises(ConfigError) as caught:
        case.spec.check(case.says_hello, case.bad_config)
    assert caught.value.field == case.bad_field


async def test_a_config_that_cannot_work_fails_the_attempt(case: Case) -> None:
    outcome = await case.run(case.says_hello, config=case.bad_config)
    assert not outcome.succeeded
    assert case.bad_field in outcome.error


async def test_an_unknown_setting_is_refused(case: Case) -> None:
    with pytest.raises(ConfigError) as caught:
        case.spec.check(case.says_hello, {"colour": "red"})
    assert caught.value.field == "config.colour"


async def test_concurrent_attempts_do_not_disturb_each_other(case: Case) -> None:
    logs = [Log() for _ in range(50)]
    hanging = await case.hang()
    attempts = [case.run(case.says(f"word{n}."), log, run_id=f"r{n}") for n, log in enumerate(logs)]
    outcomes = await asyncio.gather(*attempts, case.run(case.fails))
    assert [outcome.succeeded for outcome in outcomes] == [True] * 50 + [False]
    for n, log in enumerate(logs):
        assert f"word{n}." in log.text
        assert f"word{n + 1}." not in log.text
    assert not hanging.done()
    hanging.cancel()
    await asyncio.wait([hanging])


async def test_cancelling_one_leaves_the_others(case: Case) -> None:
    one, other = await case.hang("one"), await case.hang("other")
    one.cancel()
    await asyncio.wait([one])
    assert (await case.run(case.says_hello)).succeeded
    assert not other.done()
    other.cancel()
    await asyncio.wait([other])


async def test_closing_ends_what_runs_and_leaves_nothing_behind(case: Case, server: Server) -> None:
    task = await case.hang()
    await asyncio.wait_for(case.executor.close(), 5)
    outcome = await asyncio.wait_for(task, 5)
    assert not outcome.succeeded
    assert outcome.error.endswith(".")
    await until(lambda: not offspring(recursive=True))
    await until(lambda: not server.busy)
    assert not (await case.run(case.says_hello)).succeeded


async def test_it_can_be_started_and_closed_again(case: Case) -> None:
    await case.executor.close()
    await case.executor.close()
    before = open_files()
    await case.executor.start()
    assert (await case.run(case.says_hello)).succeeded
    await case.executor.close()
    await until(lambda: open_files() <= before + 1)  # The server may keep its end a moment longer.


async def test_outcomes_can_be_sent(case: Case) -> None:
    for command in (case.says_hello, case.fails):
        outcome = await case.run(command)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=Outcome) == outcome
