"""A crontab as what a file of tasks has in it, by the rules of crontab(5) on Debian."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

_SETTING = re.compile(r"""([A-Za-z_]\w*|"[^"]+"|'[^']+')\s*=\s*(.*)""")
_FIELDS = 5
_END = "END_OF_INPUT"


@dataclass(slots=True)
class Crontab:
    """What was read: entries as `tasks` of a file, and what a person should know of them."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(text: str, *, system: bool, timezone: str) -> Crontab:
    """The jobs of a crontab; a `system` one names a user before the command. `timezone` is the machine's.

    A comment right above a job is its description. Jobs that no schedule can stand for (`@reboot`) are left out, with
    a note. Nothing is checked here: that is done with what becomes of it.
    """
    found = Crontab()
    settings: dict[str, str] = {}
    comment: list[str] = []
    names: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("# ").rstrip())
            continue
        if stripped and (setting := _SETTING.fullmatch(stripped)):
            _set(found, number, settings, setting)
        elif stripped and (job := _job(found, number, stripped, system)):
            entry = _entry(*job, settings, timezone)
            names[entry["name"]] += 1
            count = names[entry["name"]]
            entry["name"] += f"-{count}" if count > 1 else ""
            found.tasks.append(entry | ({"description": "\n".join(comment)} if any(comment) else {}))
        comment = []
    return found


def _set(found: Crontab, number: int, settings: dict[str, str], setting: re.Match[str]) -> None:
    name, value = (part.strip() for part in setting.groups())
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    settings[name.strip("\"'")] = value[1:-1] if quoted else value
    if name == "MAILTO":
        found.notes.append(f"line {number}: Nobody is sent mail; output is kept with each run.")


def _job(found: Crontab, number: int, line: str, system: bool) -> tuple[str, str] | None:
    """The schedule and the command of a line."""
    size = (1 if line.startswith("@") else _FIELDS) + system
    parts = line.split(None, size)
    if len(parts) <= size:
        found.notes.append(f"line {number}: Left out, as it has no command.")
        return None
    *words, command = parts
    if system:
        user = words.pop()
        found.notes.append(f"line {number}: It runs as the worker's user, and not as {user}.")
    if words == ["@reboot"]:
        found.notes.append(f"line {number}: Left out, as no schedule stands for @reboot.")
        return None
    return " ".join(words), command


def _entry(schedule: str, command: str, settings: dict[str, str], timezone: str) -> dict[str, Any]:
    script = _script(command)
    environment = dict(settings)
    shell = environment.pop("SHELL", "/bin/sh")
    zone = environment.pop("CRON_TZ", timezone)
    environment.pop("MAILTO", None)
    config: dict[str, Any] = {"env": environment} if environment else {}
    if "HOME" in environment:
        config["cwd"] = environment["HOME"]  # cron goes there first
    if shell != "/bin/sh":
        script, config["args"] = shell, ["-c", script]
    return {
        "name": _name(command),
        "executor": "shell",
        "command": script,
        "schedule": schedule,
        "timezone": zone,
        **({"config": config} if config else {}),
    }


def _script(command: str) -> str:
    """The first % ends the command, and what follows is its standard input, with % for the end of a line."""
    first, *lines = [part.replace(r"\%", "%") for part in re.split(r"(?<!\\)%", command)]
    return "\n".join([f"{first} <<'{_END}'", *lines, _END]) if lines else first


def _name(command: str) -> str:
    """The name of the program, without what is said for it alone (`VARIABLE=value`, `cd somewhere &&`)."""
    text = re.sub(r"^\s*(cd\s+\S+\s*(&&|;)\s*|\w+=\S*\s+)*", "", command)
    return PurePosixPath(text.split()[0] if text.split() else "job").name[:150] or "job"
