"""Starts a command, or says in a sentence why it cannot be started."""

from __future__ import annotations

import errno
import os
import signal


class Refused(Exception):
    """The command cannot be started; the text says why."""


class Exhausted(Refused):
    """No command could be started now: the system has run out of what they all need."""


# Python ignores some signals, the keeper some more, and whoever started the worker may too (nohup): a command
# must find them all as they are by default.
RESET = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]


def note_ignored_signals() -> None:
    """Reset only those that are ignored: to be called when that is settled."""
    RESET[:] = [number for number in RESET if signal.getsignal(number) is signal.SIG_IGN]


def start(argv: list[str], env: dict[str, str], cwd: str | None, prologue: str, output: int) -> int:
    """Start `argv` in a session of its own, both outputs into the file `output`; return its pid.

    `prologue` is shell code to run first, in the same process. Raises `Refused`.
    """
    try:
        if cwd is not None:
            _enter(cwd)
        path = _find(argv[0], env.get("PATH", os.defpath))
        if prologue:
            argv = ["/bin/sh", "-c", f'{prologue}exec "$@"', "sh", path, *argv[1:]]
        return _spawn(argv[0] if prologue else path, argv, env, output)
    except ValueError as error:  # A NUL byte, or text that is none.
        raise Refused(f"The arguments or the environment cannot be passed to a program: {error}.") from error
    finally:
        if cwd is not None:
            os.fchdir(_HOME)


_EXHAUSTED = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE))
_HOME = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _enter(cwd: str) -> None:
    try:
        os.chdir(cwd)
    except OSError as error:
        raise Refused(f"The working directory {cwd} cannot be entered: {error.strerror}.") from error


def _find(program: str, search: str) -> str:
    if "/" in program:
        return program
    for directory in search.split(":"):
        path = f"{directory or '.'}/{program}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112 - pathlib takes memory
            return path
    raise Refused(f"The program “{program}” was not found in PATH ({search}).")


def _spawn(path: str, argv: list[str], env: dict[str, str], output: int) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    try:
        return os.posix_spawn(path, argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=RESET)
    except OSError as error:
        kind = Exhausted if error.errno in _EXHAUSTED else Refused
        raise kind(_why(path, error)) from error


def _why(path: str, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT if os.path.exists(path):  # noqa: PTH110 - pathlib takes memory
            return f"“{path}” cannot be run: the interpreter that its first line names does not exist."
        case errno.ENOENT | errno.ENOTDIR:
            return f"The program “{path}” does not exist."
        case errno.EACCES:
            return f"“{path}” is not executable; check its permissions (chmod +x)."
        case errno.ENOEXEC:
            return f"“{path}” is not a program; a script needs a first line such as #!/bin/sh."
        case errno.E2BIG:
            return "The arguments and the environment together are larger than the system allows."
        case errno.EAGAIN | errno.ENOMEM:
            return "The system cannot start another process now: its limit of processes or of memory is reached."
        case errno.EMFILE | errno.ENFILE:
            return "The system cannot start another process now: its limit of open files is reached."
    return f"“{path}” could not be started: {error.strerror}."
