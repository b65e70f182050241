"""Settings from the environment, for every process, with or without Django.

A value is looked up in this order: the variable `NAME`; the file named by `NAME_FILE`; the file
`$STATE_DIR/settings/NAME`, which is where the standalone command leaves what it generated, so that
any further command started beside it works without flags. A bad value falls back to its default and
is remembered in `problems`; each process refuses to start while there are any.
"""

import os
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

problems: list[str] = []


def state_dir() -> Path:
    """The folder for everything a standalone installation keeps (`STATE_DIR`, default `var/`)."""
    return Path(os.environ.get("STATE_DIR") or Path(__file__).parent.parent / "var").absolute()


def text(name: str, default: str = "") -> str:
    """The value of `name` without surrounding white space, or `default` where it is unset or empty."""
    if value := os.environ.get(name, "").strip():
        return value
    path = os.environ.get(f"{name}_FILE", "").strip()
    file = Path(path) if path else state_dir() / "settings" / name
    try:
        return file.read_text().strip() or default
    except OSError as error:
        if path:
            problems.append(f"{name}_FILE: cannot read {path} ({error.strerror}). Name a readable file.")
        return default


def path(name: str) -> str | None:
    """The path of a readable file, or None where `name` is unset."""
    value = os.environ.get(name, "").strip()
    if value and not os.access(value, os.R_OK):
        problems.append(f"{name}: cannot read {value}. Name a readable file.")
    return value or None


def required(name: str, mend: str) -> str:
    """Like `text`, but being absent is a problem; `mend` says what to set."""
    value = text(name)
    if not value:
        problems.append(f"{name} is not set. {mend}")
    return value


def number(name: str, default: float, minimum: float, maximum: float) -> float:
    """A number between `minimum` and `maximum`."""
    value = text(name)
    if not value:
        return default
    try:
        parsed = float(value)
    except ValueError:
        parsed = float("nan")
    if not minimum <= parsed <= maximum:
        problems.append(f"{name}: “{value}” is not a number from {minimum:g} to {maximum:g}.")
        return default
    return parsed


def flag(name: str, default: bool = False) -> bool:
    """True for 1, true, yes, on; false for 0, false, no, off."""
    value = text(name).lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    if value:
        problems.append(f"{name}: “{value}” is neither true nor false.")
    return default


def zone(name: str, default: str) -> str:
    """The name of a time zone."""
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(f"{name}: “{value}” is not a time zone, such as Europe/Berlin.")
        return default
    return value


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas or white space."""
    return text(name, default).replace(",", " ").split()


def labels(name: str) -> dict[str, str]:
    """`key=value` pairs separated by commas or white space."""
    pairs = [word.partition("=") for word in words(name)]
    problems.extend(
        f"{name}: “{key}” is not of the form key=value." for key, equals, value in pairs if not (key and equals)
    )
    return {key: value for key, equals, value in pairs if key and equals}


class SettingsError(SystemExit):
    """The process cannot start with the environment it was given."""


def refuse_problems() -> None:
    """Raise `SettingsError` that lists every problem found so far, if there is one."""
    if problems:
        raise SettingsError("Cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems))
