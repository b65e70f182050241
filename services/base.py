"""What all servers share: a folder of their own, ports they keep, a process that can be killed and started anew."""

import json
import os
import secrets
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from services import process
from services.certificates import Certificates, make
from services.ports import free_ports, is_free

LOG_LINES, LOG_BYTES = 20, 8192
MAX_LOG_BYTES = 10 * 1024 * 1024
"""A longer log is begun anew at the next start."""


class ServerError(Exception):
    """A server cannot do what was asked; the text says why, with the last lines of its log."""


class Server(ABC):
    """One server on loopback ports. Data, settings, log and password are in `folder`; two instances never meet.

    `settings` are further settings in the server's own words. Certificates are made in the folder unless given.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    package: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]] = ("port", "tls_port")
    start_seconds: ClassVar[float] = 90.0
    stop_seconds: ClassVar[float] = 30.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(
        self, folder: Path, certificates: Certificates | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.certificates = certificates or Certificates(self.folder / "certificates")
        self.settings = dict(settings or {})
        self.log = self.folder / "log"
        self._pid_file = self.folder / "process.json"
        self._memory_file = self.folder / "server.json"

    @classmethod
    @abstractmethod
    def program(cls) -> Path | None:
        """The server's program as the system has it; None if it is not installed."""

    @classmethod
    def missing(cls) -> str:
        """Why this server cannot run here; empty if it can."""
        return "" if cls.program() else f"{cls.title} is not installed (package {cls.package})"

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address with the password; raises ServerError before the first start."""

    @property
    @abstractmethod
    def tls_url(self) -> str:
        """Its address for encrypted connections; empty if this build cannot encrypt."""

    @abstractmethod
    def prepare(self) -> None:
        """Write settings, and create the data if there is none."""

    @abstractmethod
    def command(self) -> list[str]:
        """What to run, in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """True if it takes requests now."""

    @abstractmethod
    def delete_data(self) -> None:
        """Remove what `prepare` creates, so that it will create it anew."""

    @property
    def user(self) -> process.User | None:
        """Who the server runs as; None for the caller."""
        return None

    @property
    def environment(self) -> dict[str, str]:
        """The server's whole environment."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(self.folder)}

    @property
    def process(self) -> process.Process | None:
        """The process this folder's server was last started as, if it still is that one."""
        found = process.saved(self._pid_file)
        return found if found and found.alive else None

    @property
    def running(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers; raises ServerError."""
        if not self.running:
            if why := self.missing():
                raise ServerError(why)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make(self.certificates.folder)
            self._choose_ports()
            if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
                self.log.unlink()
            self.prepare()
            process.start(self.command(), self.environment, self.folder, self.log, self.user).save(self._pid_file)
        self.ready()

    def ready(self) -> None:
        """Wait until it answers; one that does not in time is killed. Raises ServerError."""
        process.wait_for(lambda: not self.running or self.answers(), self.start_seconds)
        if not self.running:
            raise ServerError(f"{self.title} ended while it started.{self.last_words()}")
        if not self.answers():
            self.kill()
            raise ServerError(f"{self.title} did not answer within {self.start_seconds:g} s.{self.last_words()}")

    def stop(self) -> None:
        """End it in order; raises ServerError if it had to be killed."""
        if not (found := self.process):
            return
        found.signal(self.stop_signal)
        if not found.wait(self.stop_seconds):
            self.kill()
            raise ServerError(f"{self.title} did not end within {self.stop_seconds:g} s, so it was killed.")

    def kill(self) -> None:
        """End it and all its processes at once, as a crash of the machine would."""
        if found := self.process:
            process.kill_tree(found)

    def wipe(self) -> None:
        """Delete its data; it will start empty, on the same ports. Raises ServerError while it runs."""
        if self.running:
            raise ServerError(f"{self.title} runs: stop it before its data is deleted.")
        self.delete_data()

    def last_words(self) -> str:
        """The end of its log, to be put below an error."""
        try:
            text = self.log.read_bytes()[-LOG_BYTES:].decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "".join(f"\n    {line}" for line in text.splitlines()[-LOG_LINES:])

    @property
    def memory(self) -> dict[str, Any]:
        """What the folder remembers over restarts: ports, password. Raises ServerError if nothing."""
        try:
            return dict(json.loads(self._memory_file.read_text()))
        except FileNotFoundError:
            raise ServerError(f"{self.title} in {self.folder} has never been started.") from None

    @property
    def remembers(self) -> bool:
        """True if it was ever started here."""
        return self._memory_file.exists()

    def remember(self, **values: Any) -> None:
        """Add to the memory; the file is for its owner only, as it has the password."""
        known = self.memory if self.remembers else {}
        write_private(self._memory_file, json.dumps(known | values, indent=2))

    def _choose_ports(self) -> None:
        if not self.remembers:
            ports = dict(zip(self.port_names, free_ports(len(self.port_names)), strict=True))
            self.remember(password=secrets.token_hex(16), **ports)
        if taken := [self.memory[name] for name in self.port_names if not is_free(self.memory[name])]:
            raise ServerError(f"{self.title} cannot have its port {taken[0]} again: another program listens there.")


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.rename(path)


def which(name: str) -> Path | None:
    """A program in the PATH."""
    found = shutil.which(name)
    return Path(found) if found else None
