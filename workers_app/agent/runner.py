"""Assignment → executor → outcome, on the asyncio loop: time limit, cancellation, errors made readable."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

import executors
from executors.base import RESULT_BYTES, Context, Executor, Leased, Outcome
from workers_app.agent import settings
from workers_app.agent.output import AttemptOutput, Flow
from workers_app.events import note
from workers_app.messaging.protocol import Assignment, Finished, Report

logger = logging.getLogger(__name__)

ERROR_CHARS = 4000
START_SECONDS = 60.0
"""An executor that takes longer to be ready does not work here."""


class Runner:
    """Carries out attempts. All its methods run on the loop."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._report = report
        self._flow = Flow()
        self._executors: dict[str, asyncio.Task[Executor]] = {}
        self._lease_until: float | None = None

    def renew(self, seconds: float) -> None:
        """The worker may act for so long from now."""
        self._lease_until = asyncio.get_running_loop().time() + seconds
        for starting in self._executors.values():
            if starting.done() and not _failed(starting):
                self._tell(starting.result())

    def _tell(self, executor: Executor) -> None:
        if self._lease_until is not None and isinstance(executor, Leased):
            executor.renew(self._lease_until - asyncio.get_running_loop().time())

    async def carry_out(self, assignment: Assignment) -> Finished:
        """Run one attempt to its end; what goes wrong is in the report, never an exception.

        The reason `unable` says that nothing of it has begun, and that the fault is this worker's.
        """
        try:
            executor = await self._executor(assignment.executor)
        except asyncio.CancelledError as error:
            return cancelled(assignment, error)
        except executors.ConfigError as error:
            return _refused(assignment, error)
        except Exception as error:
            logger.exception("Executor %s cannot be started.", assignment.executor)
            return _unable(assignment, error)
        output = AttemptOutput(assignment.key, self._report, self._flow)
        report = await _attempt(executor, assignment, output)
        output.close(begun=report.reason != "unable")
        return msgspec.structs.replace(report, seconds=output.seconds)

    async def _executor(self, name: str) -> Executor:
        """The started executor called `name`; the first attempt that needs it starts it."""
        starting = self._executors.get(name)
        if starting is None or _failed(starting):
            starting = self._executors[name] = asyncio.create_task(self._start(name))
        return await asyncio.shield(starting)

    async def _start(self, name: str) -> Executor:
        executor = executors.load(name)
        async with asyncio.timeout(START_SECONDS):
            await executor.start()
        self._tell(executor)
        return executor

    async def close(self) -> None:
        """End whatever executors still hold."""
        for starting in self._executors.values():
            if not _failed(starting):
                await (await starting).close()


async def _attempt(executor: Executor, assignment: Assignment, output: AttemptOutput) -> Finished:
    limit = asyncio.timeout(assignment.timeout)
    try:
        async with limit:
            outcome = await executor.run(_context(assignment, output))
    except asyncio.CancelledError as error:
        return cancelled(assignment, error)
    except executors.ConfigError as error:
        return _refused(assignment, error)
    except executors.Unable as error:
        return _unable(assignment, error)
    except Exception as error:
        if limit.expired():
            return _timed_out(assignment)
        logger.exception("Executor %s failed.", assignment.executor)
        return Finished(assignment.key, "error", error=f"The executor failed: {error!r}")
    return _finished(assignment, outcome)


def _failed(starting: asyncio.Task[Executor]) -> bool:
    return starting.done() and starting.exception() is not None


def _context(assignment: Assignment, output: AttemptOutput) -> Context:
    return Context(
        run_id=str(assignment.key.run),
        attempt=assignment.key.attempt,
        task=assignment.task,
        command=assignment.command,
        config=assignment.config,
        params=assignment.params,
        scheduled_for=assignment.scheduled_for,
        log=output.write,
        worker=settings.NAME,
    )


def cancelled(assignment: Assignment, error: asyncio.CancelledError) -> Finished:
    """The report of an attempt that was told to end; its reason is why."""
    return Finished(assignment.key, error.args[0] if error.args else "cancelled", error="The attempt was cancelled.")


def _refused(assignment: Assignment, error: executors.ConfigError) -> Finished:
    return Finished(assignment.key, "error", error=f"{error.field}: {error.message}")


def _unable(assignment: Assignment, error: Exception) -> Finished:
    key, why = assignment.key, str(error) or repr(error)
    note("unable", "Attempt %d of run %s cannot be started here: %s", key.attempt, key.run, why)
    return Finished(key, "unable", error=why)


def _timed_out(assignment: Assignment) -> Finished:
    return Finished(assignment.key, "timeout", error=f"Timed out after {assignment.timeout:g} s and was ended.")


def _finished(assignment: Assignment, outcome: Outcome) -> Finished:
    return Finished(
        assignment.key,
        reason="" if outcome.succeeded else "error",
        exit_code=outcome.exit_code,
        result=_small(outcome.result),
        error=outcome.error.replace("\0", "�")[:ERROR_CHARS],
    )


def _small(result: Any) -> Any:
    """A result that the database can keep: JSON, not large, no NUL."""
    try:
        encoded = msgspec.json.encode(result)
    except (TypeError, ValueError, OverflowError):
        return {"dropped": "The result is not JSON."}
    if len(encoded) > RESULT_BYTES:
        return {"dropped": f"The result has {len(encoded):,} bytes; {RESULT_BYTES:,} are kept at most."}
    return msgspec.json.decode(encoded.replace(b"\\u0000", b"\\ufffd"))
