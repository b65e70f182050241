"""Brings missing servers with the system's package manager, when it may; never starts a system-wide server."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LISTS = Path("/var/lib/apt/lists")
SYSTEMD = Path("/run/systemd/system")
UNITS = ("postgresql.service", "rabbitmq-server.service", "redis-server.service", "epmd.service", "epmd.socket")
SECONDS = 900.0
OPTIONS = ("-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30")
# invoke-rc.d starts nothing in runlevel 1, so the packages' own scripts leave their servers off.
ENVIRONMENT = ("DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "LC_ALL=C")


def refusal() -> str:
    """Why nothing can be installed here; empty when it can."""
    if os.environ.get("SERVICES_INSTALL", "1") == "0":
        return "SERVICES_INSTALL=0 forbids to install it"
    if shutil.which("apt-get") is None:
        return "there is no apt-get to install it with"
    if os.geteuid() != 0 and not _sudo_works():
        return "installing needs root or sudo without a password"
    return ""


def install(packages: Sequence[str], log: Path, tell: Callable[[str], None]) -> dict[str, str]:
    """Install Debian packages; returns package → why it could not be, empty when all went well."""
    if not packages:
        return {}
    if why := refusal():
        return dict.fromkeys(packages, why)
    tell(f"Installing {', '.join(packages)} (log: {log}) …")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file, _units_held(file.fileno()):
        return _install(packages, log, file.fileno())


def _install(packages: Sequence[str], log: Path, output: int) -> dict[str, str]:
    fresh = not any(LISTS.glob("*_Packages*"))
    if fresh:
        _apt(["update"], output)
    if _apt_install(packages, output):
        return {}
    if not fresh:
        _apt(["update"], output)
    # One by one: a package that cannot be had must not keep the others away.
    return {each: f"apt-get failed, see {log}" for each in packages if not _apt_install([each], output)}


def _apt_install(packages: Sequence[str], output: int) -> bool:
    return _apt(["install", "-y", "--no-install-recommends", *packages], output)


def _apt(arguments: Sequence[str], output: int) -> bool:
    return _as_root(["env", *ENVIRONMENT, "apt-get", *OPTIONS, *arguments], output)


def _as_root(command: Sequence[str], output: int = subprocess.DEVNULL) -> bool:
    """Run a command as root; True if it went well."""
    argv = list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _sudo_works() -> bool:
    return shutil.which("sudo") is not None and _as_root(["true"])


@contextmanager
def _units_held(output: int) -> Iterator[None]:
    """Under systemd, keep units that do not exist yet from being started now or at the next boot."""
    units = [unit for unit in UNITS if not _as_root(["systemctl", "cat", unit])] if SYSTEMD.is_dir() else []
    if not units:
        yield
        return
    _as_root(["systemctl", "mask", "--runtime", *units], output)
    try:
        yield
    finally:
        _as_root(["systemctl", "unmask", "--runtime", *units], output)
        for unit in units:
            _as_root(["systemctl", "disable", unit], output)
