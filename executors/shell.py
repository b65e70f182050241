"""Runs a command of the worker's host, in a process tree of which nothing is left afterwards."""

from __future__ import annotations

import os
import signal
from typing import Any, cast

import msgspec

from executors.base import ConfigError, Context, Outcome
from executors.keeper.client import Command, CommandError, KeeperClient
from executors.results import Results, Said
from executors.specs import SHELL, ShellConfig, is_identifier

_PASSED_ON = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"})

_PLACES = frozenset({"item_index", "shard_index", "shard_total"})
"""Parameters that say which part of a run this is."""


class Shell:
    """The executor for shell commands and programs."""

    def __init__(self) -> None:
        # Nothing else of the worker's environment may reach a command: it holds the broker's credentials.
        self._env = {n: v for n, v in os.environ.items() if n in _PASSED_ON or n.startswith("LC_")}
        self._keeper: KeeperClient | None = None
        self._results: Results | None = None

    @property
    def keeper_pid(self) -> int | None:
        """The helper process's pid, if it runs."""
        return self._keeper.pid if self._keeper else None

    async def start(self) -> None:
        """Start the helper process; raises `Unable`."""
        self._results = self._results or Results()
        self._keeper = self._keeper or KeeperClient()
        await self._keeper.start()

    async def close(self) -> None:
        """End all commands at once, and the helper process."""
        if self._keeper:
            await self._keeper.close()
            self._keeper = None
        if self._results:
            self._results.close()
            self._results = None

    def renew(self, seconds: float) -> None:
        """Commands end by themselves unless this is said again within so many seconds, even if we stand still."""
        if self._keeper:
            self._keeper.renew(seconds)

    async def run(self, context: Context) -> Outcome:
        """Run the command; its output goes to `context.log`, both streams in the order they were written."""
        if self._keeper is None or self._results is None:
            return Outcome(succeeded=False, error="The worker is not running commands now.")
        try:
            config = cast(ShellConfig, SHELL.check(context.command, context.config))
            with self._results.of(context) as said:
                code = await self._keeper.run(self._command(context, config, said))
                result = said.result()
        except ConfigError as error:
            return Outcome(succeeded=False, error=f"{error.field}: {error.message}")
        except CommandError as error:
            return Outcome(succeeded=False, error=str(error))
        return _outcome(code, config, result)

    def _command(self, context: Context, config: ShellConfig, said: Said) -> Command:
        script = config.args is None
        return Command(
            argv=["/bin/sh", "-c", context.command] if script else [context.command, *(config.args or ())],
            env={**self._env, **config.env, **_variables(context), "SCHEDULER_RESULT_FILE": said.path},
            log=said.write,
            cwd=config.cwd,
            prologue=_prologue(config),
            grace=config.grace_seconds,
        )


def _variables(context: Context) -> dict[str, str]:
    """What a command is told about its attempt."""
    variables = {
        "SCHEDULER_RUN_ID": context.run_id,
        "SCHEDULER_ATTEMPT": str(context.attempt),
        "SCHEDULER_TASK": context.task,
        "SCHEDULER_WORKER": context.worker,
        "SCHEDULER_SCHEDULED_FOR": context.scheduled_for,
        "SCHEDULER_PARAMS": msgspec.json.encode(context.params).decode(),
    }
    for name in _PLACES & context.params.keys():
        variables[f"SCHEDULER_{name.upper()}"] = _text(context.params[name])
    for name, value in context.params.items():
        if is_identifier(name) and not isinstance(value, dict | list):
            variables[f"SCHEDULER_PARAM_{name.upper()}"] = _text(value)
    for name, value in context.trace.items():
        variables[name.upper()] = value
    return variables


def _text(value: Any) -> str:
    """A parameter as a variable: text as it is, nothing for null, else as in JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _prologue(config: ShellConfig) -> str:
    """Shell code that sets the limits. Of CPU time the soft limit ends a process with SIGXCPU, which tells more."""
    commands = []
    if config.cpu_seconds:
        commands += [f"ulimit -S -t {config.cpu_seconds}", f"ulimit -H -t {config.cpu_seconds + 2}"]
    if config.memory_mb:
        commands.append(f"ulimit -v {config.memory_mb * 1024}")
    if config.open_files:
        commands.append(f"ulimit -n {config.open_files}")
    return "".join(f"{command} && " for command in commands)


def _outcome(code: int, config: ShellConfig, result: Any) -> Outcome:
    succeeded = code in config.success_exit_codes
    error = "" if succeeded else _sentence(code, config)
    return Outcome(succeeded=succeeded, exit_code=code, result=result, error=error)


def _sentence(code: int, config: ShellConfig) -> str:
    if code >= 0:
        return f"The command exited with code {code}."
    try:
        name = signal.Signals(-code).name
    except ValueError:  # A real-time signal.
        name = f"SIGRTMIN+{-code - signal.SIGRTMIN}"
    why = (
        f": it used more than {config.cpu_seconds} s of CPU time"
        if -code == signal.SIGXCPU and config.cpu_seconds
        else ""
    )
    return f"The command was ended by signal {-code} ({name}){why}."
