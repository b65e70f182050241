"""What an executor is: a specification (how to check a task) and a coroutine (how to carry out one attempt)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import msgspec

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)

RESULT_BYTES = 8 * 1024
"""Of JSON, a result has at most."""
AT_ONCE = "at once"
"""The argument of a `CancelledError` that allows no grace: the worker's lease has ended."""


class ConfigError(ValueError):
    """A task's executor, command or config cannot work.

    `field` names the task's field ("executor", "command", "config" or "config.<name>");
    the message says what is wrong and how to mend it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Unable(Exception):
    """This worker cannot start the attempt now, whatever the task asks for, and nothing of it has begun.

    The text is a sentence for the operator; the attempt goes to another worker.
    """


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt ended, as its executor saw it."""

    succeeded: bool
    exit_code: int | None = None
    """Process exit code (a signal as its negative number, as `subprocess` does), or the HTTP status."""
    result: Any = None
    """Small JSON value."""
    error: str = ""
    """One or two sentences a person understands; empty on success."""


class Context(msgspec.Struct, frozen=True):
    """Everything an executor is told about the attempt it carries out."""

    run_id: str
    attempt: int
    task: str
    command: str
    config: dict[str, Any]
    params: dict[str, Any]
    scheduled_for: str
    """Nominal time, ISO 8601 in UTC."""
    log: Callable[[bytes], None]
    """Takes output as it comes, in any chunks; never blocks, never raises, bounds what it keeps."""
    worker: str = ""
    """The name of the worker that carries it out."""
    trace: dict[str, str] = {}
    """W3C trace headers (`traceparent`, `tracestate`) to pass on; may be empty."""


class Executor(Protocol):
    """The code that carries out attempts. One instance serves all attempts of a worker, on one asyncio loop.

    Time limits and cancellation come as `asyncio.CancelledError` raised inside `run`, exactly once:
    end everything the attempt began, wait until it is surely gone, then let the error pass. If its
    argument is `AT_ONCE`, skip any grace period: it has to be gone within a second.
    """

    async def start(self) -> None:
        """Acquire what all attempts share (a helper process, a connection pool)."""

    async def close(self) -> None:
        """Release it, ending whatever still runs."""

    async def run(self, context: Context) -> Outcome:
        """Carry out one attempt. What goes wrong in it is an `Outcome`, not an exception, unless it is `Unable`."""
        ...


@runtime_checkable
class Leased(Protocol):
    """An executor whose work goes on while the worker's own process stands still: it must know the lease, too."""

    def renew(self, seconds: float) -> None:
        """The worker may act for so long from now. What runs beyond that without another word must end by itself."""


class Spec(msgspec.Struct, frozen=True):
    """An executor's entry in the registry: light to import, so that the API can check a task without its code."""

    name: str
    config: type[msgspec.Struct]
    """The shape of `Task.config`; `forbid_unknown_fields`, rules between fields in `__post_init__`."""
    implementation: str
    """`"module:Class"` of the `Executor`, imported by workers only."""
    check_command: Callable[[str, Any], None]
    """Takes command and the decoded config; raises `ConfigError("command", …)`."""

    def check(self, command: str, config: Any) -> msgspec.Struct:
        """Return the decoded config, or raise `ConfigError` naming the field at fault."""
        try:
            decoded = msgspec.convert(config, self.config)
        except msgspec.ValidationError as error:
            raise _config_error(error) from error
        self.check_command(command, decoded)
        return decoded


def _config_error(error: msgspec.ValidationError) -> ConfigError:
    if isinstance(error.__cause__, ConfigError):  # Raised by a `__post_init__`, which knows the field.
        return error.__cause__
    message, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").partition("[")[0]
    if unknown := _UNKNOWN_FIELD.fullmatch(message):
        return ConfigError(f"config{path}.{unknown[1]}", "There is no such setting; remove it or mend its name.")
    return ConfigError(f"config{path}", f"{message}.")
