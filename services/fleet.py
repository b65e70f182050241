"""All servers of one folder together, which several programs may use at the same time."""

import fcntl
import json
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from services.base import Server, ServerError, write_private
from services.certificates import make
from services.install import install
from services.known import BROWSER, FILE, SERVERS


class Fleet:
    """The shared servers in `folder`.

    `start` leaves them running until `stop`; what `visit` had to bring goes with the last visit.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tell = tell
        certificates = make(self.folder / "certificates")
        self.servers = {kind: server(self.folder / kind, certificates) for kind, server in SERVERS.items()}
        self._file = self.folder / FILE
        self._visitors_file = self.folder / "visitors.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One program at a time starts or stops servers."""
        with (self.folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def start(self) -> dict[str, str]:
        """Install and start all; returns kind → error of those that are installed but did not start."""
        wanted = {server.package: kind for kind, server in self.servers.items() if not server.program()}
        browser = [package for package, program in BROWSER.items() if not shutil.which(program)]
        failed = self._install([*wanted, *browser])
        refused = {kind: failed[package] for package, kind in wanted.items() if package in failed}
        missing = {
            kind: f"{why}: {refused[kind]}" if kind in refused else why
            for kind, server in self.servers.items()
            if (why := server.missing())
        }
        with ThreadPoolExecutor(len(self.servers)) as pool:
            answers = pool.map(_start, (server for kind, server in self.servers.items() if kind not in missing))
            broken = {kind: error for kind, error in answers if error}
        self._write(missing | broken)
        return broken

    def stop(self, kinds: Iterable[str]) -> None:
        """End those that run; one that does not want to is killed, which is told."""
        running = [server for kind in kinds if (server := self.servers[kind]).running]
        with ThreadPoolExecutor(len(self.servers)) as pool:
            for error in pool.map(_stop, running):
                if error:
                    self.tell(error)

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Have all servers for a while. Those it had to bring are stopped with the last visit that is under way."""
        with (self.folder / "visits").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            try:
                with self.lock():
                    self.visitors |= {kind for kind, server in self.servers.items() if not server.running}
                    self.start()
                yield
            finally:
                file.close()
                self._leave()

    def _leave(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C would leave servers behind
        with self.lock(), (self.folder / "visits").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self.stop(self.visitors)
            self.visitors = set()

    @property
    def visitors(self) -> set[str]:
        """Kinds that run only as long as there are visits."""
        try:
            return set(json.loads(self._visitors_file.read_text()))
        except FileNotFoundError:
            return set()

    @visitors.setter
    def visitors(self, kinds: set[str]) -> None:
        write_private(self._visitors_file, json.dumps(sorted(kinds)))

    @property
    def missing(self) -> dict[str, str]:
        """Kind → why it could not be had at the last start."""
        try:
            return dict(json.loads(self._file.read_text())["missing"])
        except FileNotFoundError:
            return {}

    def _install(self, packages: list[str]) -> dict[str, str]:
        return install(packages, self.folder / "install.log", self.tell)

    def _write(self, missing: dict[str, str]) -> None:
        running = {
            kind: {"url": server.url, "tls_url": server.tls_url}
            for kind, server in self.servers.items()
            if kind not in missing
        }
        known = running | {"certificates": str(self.folder / "certificates"), "missing": missing}
        write_private(self._file, json.dumps(known, indent=2) + "\n")


def _start(server: Server) -> tuple[str, str]:
    try:
        server.start()
    except (ServerError, OSError) as error:
        return server.kind, f"it did not start: {error}"
    return server.kind, ""


def _stop(server: Server) -> str:
    try:
        server.stop()
    except ServerError as error:
        return str(error)
    return ""
