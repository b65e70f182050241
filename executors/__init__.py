"""The registry of executors: name → specification, ours and those of installed packages.

A package adds its own by an entry point in the group `scheduler.executors` that names a `Spec`.
"""

from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name

from executors.base import ConfigError, Executor, Spec, Unable
from executors.specs import HTTP, SHELL

__all__ = ["ConfigError", "Executor", "Spec", "Unable", "load", "spec", "specs"]

BUILT_IN = (SHELL, HTTP)


@cache
def specs() -> dict[str, Spec]:
    """All known executors by name."""
    found = [entry.load() for entry in entry_points(group="scheduler.executors")]
    return {spec.name: spec for spec in (*found, *BUILT_IN)}


def spec(name: str) -> Spec:
    """The executor called `name`; raises `ConfigError` that lists the known ones."""
    try:
        return specs()[name]
    except KeyError:
        known = ", ".join(sorted(specs()))
        raise ConfigError("executor", f"Unknown executor “{name}”. Known executors: {known}.") from None


def load(name: str) -> Executor:
    """A new, not yet started executor called `name`, with its code imported."""
    executor: Executor = resolve_name(spec(name).implementation)()
    return executor
