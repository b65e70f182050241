"""The scheduler's real processes on one database and one broker, for as long as they are measured."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import cpu, database, servers
from benchmarks.api import Api
from benchmarks.cpu import Cpu
from scheduler_project.standalone.parts import Part
from scheduler_project.standalone.state import free_port
from workers_app.messaging.sealing import new_key

ROOT = Path(__file__).parent.parent
CELERY = str(Path(sys.executable).with_name("celery"))
UVICORN = str(Path(sys.executable).with_name("uvicorn"))
KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR")


class Failed(Exception):
    """A measure could not be taken; the message says why."""


def wait_until(condition: Callable[[], Any], seconds: float, what: str, pause: float = 0.05) -> None:
    """Raises `Failed` when there is no true value of `condition()` in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


def end(parts: Sequence[Part], seconds: float = 10.0) -> None:
    """Ask all of them to end, wait, then insist."""
    running = [part.process for part in parts if part.process and part.alive]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            for pid in reversed(cpu.family(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


class Stack:
    """Web, dispatcher and workers; whatever happens, `__exit__` ends all of them."""

    def __init__(self, kind: str, broker: str, folder: Path) -> None:
        self.name = f"{kind}/{broker}"
        self.folder = folder / self.name.replace("/", "-")
        self.folder.mkdir()
        self._kind = kind
        self.broker = servers.Broker(broker)
        self.parts: list[Part] = []

    def __enter__(self) -> "Stack":
        try:
            self.broker.open(self.folder)
            self.database = database.fresh(self._kind, self.folder)
            self._start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self.parts)
        if hasattr(self, "database"):
            self.database.close()
        self.broker.close()

    def _start(self) -> None:
        port = free_port()
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        keys = {"BROKER_URL": self.broker.url, "SCHEDULER_MESSAGE_KEYS": new_key(), "STATE_DIR": str(self.folder)}
        self._worker_environment = {**kept, **keys, "LOG_LEVEL": "WARNING"}
        self.environment = {
            **self._worker_environment,
            "SECRET_KEY": "only for benchmarks, long enough to sign with",
            "DATABASE_URL": self.database.url,
            "DJANGO_SETTINGS_MODULE": "scheduler_project.settings",
        }
        url = f"http://127.0.0.1:{port}"
        self.api = Api(url, self.helper("prepare").split()[-1])
        web = [UVICORN, "scheduler_project.asgi:application", "--port", str(port), "--no-access-log"]
        self._part("web", web, self.environment)
        self.dispatchers(1)
        self.workers(1)

    def helper(self, *arguments: str) -> str:
        """Have `benchmarks.orm` do something; return what it printed."""
        argv = [sys.executable, "-m", "benchmarks.orm", *arguments]
        done = subprocess.run(argv, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise Failed(f"benchmarks.orm {arguments[0]}: {done.stderr.strip().splitlines()[-1]}")
        return done.stdout

    def dispatchers(self, number: int) -> None:
        """Have so many dispatchers; the first always stays."""
        names = ["dispatcher", *(f"dispatcher-{n}" for n in range(2, number + 1))]
        surplus = [part for part in self.parts if part.name.startswith("dispatcher") and part.name not in names]
        end(surplus)
        self.parts = [part for part in self.parts if part not in surplus]
        for name in names:
            if name not in self.pids():
                self._part(name, [sys.executable, "-m", "scheduler_project.dispatcher"], self.environment)

    def workers(self, number: int, max_tasks: int | None = None) -> None:
        """Have so many workers online, each with so many slots; those that fit already stay."""
        own = {"WORKER_GRACE_SECONDS": "1"} | ({"WORKER_MAX_TASKS": str(max_tasks)} if max_tasks else {})
        wanted = [{**self._worker_environment, **own, "WORKER_NAME": f"worker-{n + 1}"} for n in range(number)]
        ours = [part for part in self.parts if part.name.startswith("worker")]
        end(surplus := [part for part in ours if part.environment not in wanted])
        self.parts = [part for part in self.parts if part not in surplus]
        for environment in wanted:
            if environment not in [part.environment for part in ours]:
                argv = [sys.executable, "-m", "workers_app.agent"]
                self._part(environment["WORKER_NAME"], argv, environment)
        what = f"{number} workers are online (logs: {self.folder})"
        wait_until(lambda: self.api.answers() and self.api.workers_online() == number, 60, what)

    def _part(self, name: str, argv: list[str], environment: dict[str, str]) -> None:
        # They import from the project's folder because that is where Celery and uvicorn look first.
        part = Part(name, argv, environment, self.folder / f"{name}.log")
        self.parts.append(part)
        part.start()

    def pids(self) -> dict[str, int]:
        """Name → process, of everything we have started for this stack."""
        return {part.name: part.process.pid for part in self.parts if part.process}

    def await_idle(self, seconds: float) -> None:
        """Until every run has ended; raises `Failed`."""
        wait_until(self.database.idle, seconds, "every run has ended")

    def calm(self) -> None:
        """After a measure that went wrong, let its runs end, so that the next one begins with nothing to do."""
        with suppress(Failed):
            self.await_idle(60)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of web, dispatcher, workers (with their helpers), what they ran, and the servers."""
        trees = {name: cpu.tree(pid) for name, pid in self.pids().items()}
        workers = sum((used for name, used in trees.items() if name.startswith("worker")), Cpu())
        found = {
            "web": trees["web"].total,
            "dispatcher": trees["dispatcher"].total,
            "workers": workers.own,
            "commands": workers.reaped,
            "client": cpu.of(os.getpid()).own,
        }
        for name, pid in (("database", self.database.pid), ("broker", self.broker.pid)):
            if pid:
                found[name] = cpu.tree(pid).total
        return found
