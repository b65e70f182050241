"""What a task of the built-in executors may look like: checked by the API, without the executors' own code."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from executors.base import ConfigError, Spec

COMMAND_BYTES = 64 * 1024
ENVIRONMENT_BYTES = 64 * 1024
URL_BYTES = 8 * 1024

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS_RANGE = re.compile(r"([1-5][0-9][0-9])-([1-5][0-9][0-9])", re.ASCII)
_BREAKS_A_HEADER = re.compile(r"[\r\n\0]")
_BREAKS_A_URL = re.compile(r"[\x00-\x20\x7f]")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Positive = Annotated[int, Meta(gt=0, le=2**40)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
ExitCode = Annotated[int, Meta(ge=-64, le=255)]


class ShellConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a command is run. Without `args` it is a script for `/bin/sh -c`; with them it is a program."""

    args: list[str] | None = None
    """The program's arguments (an empty list: none); no shell takes part."""
    env: dict[str, str] = {}
    """Added to the environment, at most 64 KiB together."""
    cwd: str | None = None
    """Absolute path of the working directory; the worker's own if not given."""
    grace_seconds: Annotated[float, Meta(ge=0, le=300)] = 4.0
    """From SIGTERM to SIGKILL when the command must end; a cancelled run is to be gone within five seconds."""
    success_exit_codes: Annotated[tuple[ExitCode, ...], Meta(min_length=1, max_length=256)] = (0,)
    cpu_seconds: Positive | None = None
    """CPU time of each process of the command."""
    memory_mb: Positive | None = None
    """Address space of each process of the command, in MiB."""
    open_files: Positive | None = None
    """File descriptors of each process of the command."""

    def __post_init__(self) -> None:
        if self.args:
            _check_args(self.args)
        if self.env:
            _check_env(self.env)
        if self.cwd is not None:
            _check_cwd(self.cwd)


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The request that is sent to the URL, and which answer counts as success."""

    method: str = "GET"
    headers: dict[str, str] = {}
    body: str | None = None
    """Sent as it is, in UTF-8."""
    json: Any | UnsetType = UNSET
    """Sent as JSON, with its content type; instead of `body`."""
    expected_statuses: Annotated[tuple[int | str, ...], Meta(min_length=1, max_length=64)] = ("200-299",)
    """Status codes (`204`) and ranges (`"200-299"`) that count as success."""
    connect_timeout_seconds: Seconds = 10.0
    total_timeout_seconds: Seconds = 300.0
    """For the whole request, connecting and redirects included."""
    verify_tls: bool = True
    max_redirects: Annotated[int, Meta(ge=0, le=20)] = 5
    """0: a redirect is not followed but is the answer."""
    max_body_bytes: Annotated[int, Meta(ge=0, le=1024 * 1024)] = 65_536
    """How much of the answer's body goes into the log."""

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise ConfigError("config.method", f"Unknown method “{self.method}”; use {', '.join(sorted(_METHODS))}.")
        if self.body is not None and self.json is not UNSET:
            raise ConfigError("config.json", "Give either body or json, not both.")
        for name, value in self.headers.items():
            _check_header(name, value)
        for expected in self.expected_statuses:
            status_range(expected)


def status_range(expected: int | str) -> range:
    """The status codes that an entry of `expected_statuses` means, or `ConfigError`."""
    if isinstance(expected, int):
        expected = f"{expected}-{expected}"
    match = _STATUS_RANGE.fullmatch(expected)
    if not match or match[1] > match[2]:
        message = f"“{expected}” is neither a status (204) nor a range of them (“200-299”) between 100 and 599."
        raise ConfigError("config.expected_statuses", message)
    return range(int(match[1]), int(match[2]) + 1)


def is_identifier(name: str) -> bool:
    """Whether an environment variable may be called `name`."""
    return _IDENTIFIER.fullmatch(name) is not None


def _check_text(field: str, text: str) -> bytes:
    if "\0" in text:
        raise ConfigError(field, "A NUL byte cannot be passed to a program; remove it.")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            field, "The text holds half a surrogate pair, which is not a character; remove it."
        ) from error


def _check_args(args: list[str]) -> None:
    if sum(len(_check_text("config.args", arg)) for arg in args) > COMMAND_BYTES:
        raise ConfigError("config.args", "The arguments are longer than 64 KiB together; pass a file instead.")


def _check_env(env: dict[str, str]) -> None:
    size = 0
    for name, value in env.items():
        if not is_identifier(name):
            message = f"“{name}” cannot name a variable; use letters, digits and underscores, no digit first."
            raise ConfigError("config.env", message)
        if name.startswith("SCHEDULER_"):
            raise ConfigError(
                "config.env", f"{name}: names beginning with SCHEDULER_ are set by the scheduler; rename it."
            )
        size += len(name) + len(_check_text("config.env", value)) + 2
    if size > ENVIRONMENT_BYTES:
        raise ConfigError("config.env", f"The variables take {size:,} bytes, more than 64 KiB; pass a file instead.")


def _check_cwd(cwd: str) -> None:
    _check_text("config.cwd", cwd)
    if not cwd.startswith("/") or len(cwd) > 4095:
        raise ConfigError("config.cwd", "The working directory must be an absolute path, such as /srv/data.")


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ConfigError("config.headers", f"“{name}” cannot name a header; use letters, digits and hyphens.")
    if _BREAKS_A_HEADER.search(value):
        raise ConfigError("config.headers", f"The value of {name} holds a line break or NUL byte; remove it.")
    _check_text("config.headers", value)


def _check_shell_command(command: str, config: ShellConfig) -> None:
    del config  # The rule is the same with and without arguments.
    if not command.strip():
        raise ConfigError("command", "The command is empty; say what is to be run.")
    if len(_check_text("command", command)) > COMMAND_BYTES:
        raise ConfigError("command", "The command is longer than 64 KiB; put it into a file and run that.")


def _check_url(url: str, config: HttpConfig) -> None:
    del config
    if len(_check_text("command", url)) > URL_BYTES:
        raise ConfigError("command", "The URL is longer than 8 KiB; send the data as body or json.")
    if _BREAKS_A_URL.search(url):
        raise ConfigError("command", "The URL holds a space or control character; write it percent-encoded (%20).")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("command", f"This is not a URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError("command", "The URL must begin with http:// or https:// and name a host.")
    if "@" in parts.netloc:
        raise ConfigError("command", "The URL holds a user name or password; send an Authorization header instead.")


SHELL = Spec("shell", ShellConfig, "executors.shell:Shell", _check_shell_command)
HTTP = Spec("http", HttpConfig, "executors.http:Http", _check_url)
