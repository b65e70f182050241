import subprocess
import sys
from typing import Any

import msgspec
import pytest

import executors
from executors.base import ConfigError, Spec
from executors.specs import HTTP, SHELL, HttpConfig, ShellConfig

URL = "https://example.org/hook"

BAD_SHELL: list[tuple[str, Any, str, str]] = [
    ("", {}, "command", "empty"),
    (" \n\t", {}, "command", "empty"),
    ("x" * 65_537, {}, "command", "64 KiB"),
    ("echo \0", {}, "command", "NUL"),
    ("echo \ud800", {}, "command", "surrogate"),
    ("true", [], "config", "object"),
    ("true", None, "config", "object"),
    ("true", {"shell": True}, "config.shell", "no such setting"),
    ("true", {"args": "x"}, "config.args", "array"),
    ("true", {"args": [1]}, "config.args", "str"),
    ("true", {"args": ["a\0"]}, "config.args", "NUL"),
    ("true", {"args": ["x" * 40_000, "x" * 40_000]}, "config.args", "64 KiB"),
    ("true", {"env": {"1A": "x"}}, "config.env", "letters"),
    ("true", {"env": {"A-B": "x"}}, "config.env", "letters"),
    ("true", {"env": {"Ä": "x"}}, "config.env", "letters"),
    ("true", {"env": {"A\n": "x"}}, "config.env", "letters"),
    ("true", {"env": {"": "x"}}, "config.env", "letters"),
    ("true", {"env": {"A": "\0"}}, "config.env", "NUL"),
    ("true", {"env": {"A": 1}}, "config.env", "str"),
    ("true", {"env": {"SCHEDULER_RUN_ID": "x"}}, "config.env", "rename"),
    ("true", {"env": {"A": "x" * 65_536}}, "config.env", "64 KiB"),
    ("true", {"cwd": "data"}, "config.cwd", "absolute"),
    ("true", {"cwd": ""}, "config.cwd", "absolute"),
    ("true", {"cwd": "/\0"}, "config.cwd", "NUL"),
    ("true", {"grace_seconds": -1}, "config.grace_seconds", ">= 0"),
    ("true", {"grace_seconds": 301}, "config.grace_seconds", "<= 300"),
    ("true", {"success_exit_codes": []}, "config.success_exit_codes", "length"),
    ("true", {"success_exit_codes": [256]}, "config.success_exit_codes", "255"),
    ("true", {"success_exit_codes": 0}, "config.success_exit_codes", "array"),
    ("true", {"cpu_seconds": 0}, "config.cpu_seconds", "1"),
    ("true", {"memory_mb": -5}, "config.memory_mb", "1"),
    ("true", {"open_files": 2.5}, "config.open_files", "int"),
]

BAD_HTTP: list[tuple[str, Any, str, str]] = [
    ("", {}, "command", "http://"),
    ("example.org", {}, "command", "http://"),
    ("ftp://example.org", {}, "command", "http://"),
    ("file:///etc/passwd", {}, "command", "http://"),
    ("http://", {}, "command", "host"),
    ("http:///path", {}, "command", "host"),
    ("http://exa mple.org", {}, "command", "%20"),
    ("http://example.org/\r\nX: y", {}, "command", "%20"),
    ("http://example.org/\0", {}, "command", "NUL"),
    ("http://example.org:99999/", {}, "command", "Port"),
    ("http://[::1/", {}, "command", "URL"),
    ("http://me:secret@example.org/", {}, "command", "Authorization"),
    ("http://example.org/" + "x" * 8192, {}, "command", "8 KiB"),
    (URL, {"verb": "GET"}, "config.verb", "no such setting"),
    (URL, {"method": "get"}, "config.method", "GET"),
    (URL, {"method": "GET / HTTP/1.1\r\n"}, "config.method", "GET"),
    (URL, {"headers": {"A B": "x"}}, "config.headers", "letters"),
    (URL, {"headers": {"A:": "x"}}, "config.headers", "letters"),
    (URL, {"headers": {"A": "x\r\nB: y"}}, "config.headers", "line break"),
    (URL, {"body": "x", "json": None}, "config.json", "not both"),
    (URL, {"expected_statuses": []}, "config.expected_statuses", "length"),
    (URL, {"expected_statuses": [99]}, "config.expected_statuses", "range"),
    (URL, {"expected_statuses": [600]}, "config.expected_statuses", "range"),
    (URL, {"expected_statuses": ["2xx"]}, "config.expected_statuses", "range"),
    (URL, {"expected_statuses": ["299-200"]}, "config.expected_statuses", "range"),
    (URL, {"connect_timeout_seconds": 0}, "config.connect_timeout_seconds", "> 0"),
    (URL, {"total_timeout_seconds": 1e9}, "config.total_timeout_seconds", "86400"),
    (URL, {"verify_tls": "no"}, "config.verify_tls", "bool"),
    (URL, {"max_redirects": -1}, "config.max_redirects", ">= 0"),
    (URL, {"max_body_bytes": 1024 * 1024 + 1}, "config.max_body_bytes", "1048576"),
]


@pytest.mark.parametrize(
    ("spec", "command", "config", "field", "words"),
    [(SHELL, *case) for case in BAD_SHELL] + [(HTTP, *case) for case in BAD_HTTP],
)
def test_what_cannot_work_is_refused(spec: Spec, command: str, config: Any, field: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        spec.check(command, config)
    assert caught.value.field == field
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("spec", "command", "config"),
    [
        (SHELL, "echo ü", {}),
        (SHELL, "x" * 65_536, {}),
        (SHELL, "true", {"args": [], "env": {"_a1": ""}, "cwd": "/tmp", "grace_seconds": 0}),
        (SHELL, "true", {"success_exit_codes": [0, 3, -9], "cpu_seconds": 1, "memory_mb": 1, "open_files": 3}),
        (HTTP, "http://localhost:8000", {}),
        (HTTP, "https://[::1]:8443/a?b=c#d", {"method": "DELETE", "json": None}),
        (HTTP, "HTTP://EXAMPLE.ORG/", {"expected_statuses": [204, "300-399"], "max_redirects": 0}),
    ],
)
def test_what_can_work_is_accepted(spec: Spec, command: str, config: dict[str, Any]) -> None:
    spec.check(command, config)


@pytest.mark.parametrize("config", [ShellConfig, HttpConfig])
def test_a_config_gives_a_json_schema(config: type[msgspec.Struct]) -> None:
    assert msgspec.json.encode(msgspec.json.schema(config))


def test_the_registry_knows_and_loads_both() -> None:
    assert {"shell", "http"} <= set(executors.specs())
    assert type(executors.load("shell")).__name__ == "Shell"
    assert type(executors.load("http")).__name__ == "Http"
    with pytest.raises(ConfigError, match="http, shell"):
        executors.spec("docker")


def test_checking_a_task_loads_neither_executor_nor_event_loop() -> None:
    script = "import sys, executors; print([m for m in ('aiohttp', 'asyncio', 'executors.shell') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
