"""Assignment → executor → report, with the real executors."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from executors.base import AT_ONCE, Context, Outcome
from workers_app.agent import settings
from workers_app.agent.output import LIMIT_BYTES, SHORT_BYTES, AttemptOutput, Flow
from workers_app.agent.runner import Runner
from workers_app.messaging.protocol import Assignment, AttemptKey, Finished, Output, Started


class Bench:
    def __init__(self) -> None:
        self.reports: list[Any] = []
        self.runner = Runner(self.reports.append)

    async def run(self, command: str, executor: str = "shell", limit: float | None = None, **config: Any) -> Finished:
        key = AttemptKey(uuid4(), 1)
        return await self.runner.carry_out(Assignment(key, "t", executor, command, config, {}, "", limit))

    async def says(self, text: str) -> None:
        """Wait until that is all that was said."""
        async with asyncio.timeout(5):
            while self.text != text:  # noqa: ASYNC110 - the report comes by a call, not by an event
                await asyncio.sleep(0.01)

    @property
    def text(self) -> str:
        return "".join(report.text for report in self.reports if isinstance(report, Output))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = Bench()
    yield found
    await found.runner.close()


async def test_a_good_attempt(bench: Bench):
    report = await bench.run("echo hi; printf 'no end'")
    assert (report.reason, report.exit_code, report.error) == ("", 0, "")
    assert isinstance(bench.reports[0], Started)
    assert bench.text == "hi\nno end"


async def test_a_bad_attempt(bench: Bench):
    report = await bench.run("echo oh >&2; exit 4")
    assert (report.reason, report.exit_code) == ("error", 4)
    assert "code 4" in report.error
    assert bench.text == "oh\n"


@pytest.mark.parametrize(
    ("executor", "command", "config", "words"),
    [
        ("teleport", "x", {}, "Unknown executor"),
        ("shell", "x", {"cwd": "relative"}, "config.cwd"),
        ("shell", "/no/such/program", {"args": []}, "does not exist"),
        ("http", "http://127.0.0.1:1/", {}, "127.0.0.1:1"),
    ],
)
async def test_what_cannot_work_is_an_error_a_person_understands(bench, executor, command, config, words):
    report = await bench.run(command, executor, **config)
    assert report.reason == "error"
    assert words in report.error
    assert "Traceback" not in report.error


async def test_a_time_limit(bench: Bench):
    begun = time.monotonic()
    report = await bench.run("echo begun; sleep 60", limit=0.3)
    assert (report.reason, report.error) == ("timeout", "Timed out after 0.3 s and was ended.")
    assert time.monotonic() - begun < 5
    assert bench.text == "begun\n"


@pytest.mark.parametrize("why", ["cancelled", "shutdown", AT_ONCE])
async def test_being_told_to_end(bench: Bench, why: str):
    task = asyncio.create_task(bench.run("trap '' TERM; echo begun; sleep 60", grace_seconds=0.2))
    await bench.says("begun\n")
    task.cancel(why)
    assert (await task).reason == why


async def test_an_executor_that_fails_ends_its_own_attempt_only(bench: Bench, caplog):
    class Broken:
        async def run(self, context: Context) -> Outcome:
            raise RuntimeError("no idea")

        async def close(self) -> None: ...

    async def broken() -> Broken:
        return Broken()

    bench.runner._executors["broken"] = asyncio.create_task(broken())
    report = await bench.run("x", "broken")
    assert report.reason == "error"
    assert "no idea" in report.error
    assert (await bench.run("true")).reason == ""


async def test_an_executor_that_cannot_be_started_is_the_workers_fault(bench: Bench, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/no/such/python")
        report = await bench.run("true")
    assert (report.reason, report.exit_code) == ("unable", None)
    assert "helper process" in report.error
    assert bench.reports == [], "it has not started"
    assert (await bench.run("true")).reason == ""


async def test_nor_is_it_the_tasks_fault_when_the_helper_is_gone_and_does_not_come_back(bench: Bench, monkeypatch):
    await bench.run("true")
    shell: Any = await bench.runner._executor("shell")
    os.kill(shell.keeper_pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while shell.keeper_pid:  # noqa: ASYNC110 - it comes by a call, not by an event
            await asyncio.sleep(0.01)
    bench.reports.clear()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/no/such/python")
        report = await bench.run("true")
    assert (report.reason, bench.text) == ("unable", "")
    assert (await bench.run("true")).reason == ""


async def test_output_comes_while_it_runs(bench: Bench):
    task = asyncio.create_task(bench.run("echo early; read wait < /dev/zero & sleep 30"))
    await bench.says("early\n")
    assert not task.done()
    task.cancel("cancelled")
    await task


async def test_output_without_end_is_cut_in_the_middle(bench: Bench):
    await bench.run(f"echo first; head -c {3 * LIMIT_BYTES} /dev/zero | tr '\\0' x; echo; echo last")
    assert bench.text.startswith("first\nxxx")
    assert bench.text.endswith("xxx\nlast\n")
    assert "dropped" in bench.text
    assert len(bench.text) < LIMIT_BYTES + 100


async def test_a_flood_is_cut_short_and_others_are_heard(bench: Bench, monkeypatch):
    monkeypatch.setattr(settings, "OUTPUT_BYTES", 20_000.0)
    say = "echo first; head -c 200000 /dev/zero | tr '\\0' x; echo; echo last"
    await bench.run(say)
    flood = bench.text
    bench.reports.clear()
    await bench.run(say)
    short = bench.text
    bench.reports.clear()
    await bench.run("echo brief")
    assert bench.text == "brief\n"
    for text in (flood, short):
        assert text.startswith("first\nxxx")
        assert text.endswith("xxx\nlast\n")
        assert "dropped" in text
    assert len(short) < SHORT_BYTES + 100 < len(flood) < 5 * 20_000 + 65_536


async def test_output_that_is_no_text(bench: Bench):
    await bench.run(r"printf '\377\000\303'; sleep 0.01; printf '\274\n'")
    assert bench.text in ("��ü\n",)
    assert [report.piece for report in bench.reports if isinstance(report, Output)] == [0]


async def test_pieces_are_numbered_and_end_with_lines():
    reports: list[Any] = []
    output = AttemptOutput(AttemptKey(uuid4(), 1), reports.append, Flow())
    output.write(b"a\nb\nhal")
    output._flush()
    output.write(b"f\n")
    output.close()
    assert isinstance(reports.pop(0), Started)
    assert [(report.piece, report.text) for report in reports] == [(0, "a\nb\n"), (1, "half\n")]
