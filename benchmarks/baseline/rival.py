"""The baseline as a contestant: its processes, and rounds of the same command handed in as fast as can be."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks import cpu, servers
from benchmarks.contest import Round
from benchmarks.cpu import Cpu
from benchmarks.database import PostgreSQL
from benchmarks.stack import CELERY, KEPT, Failed, end, wait_until
from scheduler_project.standalone.parts import Part

APP = "benchmarks.baseline.app"
STORED = "SELECT count(*) FROM django_celery_results_taskresult"
WELL = STORED + " WHERE status = 'SUCCESS' AND result::json->>'exit_code' = '0'"
LEAN = ("--without-gossip", "--without-mingle", "--without-heartbeat")
"""What a worker can leave out without losing a task."""


@dataclass(frozen=True)
class Tuning:
    """A configuration of the baseline."""

    name: str
    broker: str
    pool: str = "prefork"
    concurrency: int = 0
    """Of each worker process; 0: Celery's default, the number of cores."""
    workers: int = 1

    @property
    def tuned(self) -> bool:
        return self.name != "default"

    @property
    def options(self) -> list[str]:
        return ["--pool", self.pool, "--concurrency", str(self.concurrency), *LEAN] if self.tuned else []

    @property
    def facts(self) -> dict[str, str | int]:
        number = self.concurrency or len(os.sched_getaffinity(0))
        return {"broker": self.broker, "pool": self.pool, "concurrency": number, "worker_processes": self.workers}


class Rival:
    """Workers, beat and a publisher, on a database of their own; whatever happens, `__exit__` ends all of them."""

    def __init__(self, tuning: Tuning, runs: int, folder: Path) -> None:
        self.name = f"celery-{tuning.name}"
        self.runs = runs
        self.tuning = tuning
        self._folder = folder
        queue = f"scheduler_bench_{tuning.name}"
        self._broker = servers.Broker(tuning.broker, queue, servers.REDIS_DATABASE + 1 + tuning.tuned)
        self._parts: list[Part] = []
        self._environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.baseline.settings",
            "QUEUE": queue,
            "TUNED": str(int(tuning.tuned)),
        }

    def __enter__(self) -> "Rival":
        try:
            self._broker.open(self._folder)
            self._database = PostgreSQL(self._environment["QUEUE"].removeprefix("scheduler_bench_"))
            self._start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "_publisher"):
            self._publisher.kill()
            self._publisher.communicate()
        end(self._parts, seconds=3)  # Celery's threads would take ten to leave RabbitMQ
        if hasattr(self, "_database"):
            self._database.close()
        self._broker.close()

    def _start(self) -> None:
        self._environment |= {"BROKER_URL": self._broker.url, "DATABASE_URL": self._database.url}
        argv = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(argv, env=self._environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed
        celery = [CELERY, "-A", APP]
        self._part("beat", [*celery, "beat", "--loglevel", "WARNING"])
        for number in range(self.tuning.workers):
            name = f"worker-{number + 1}"
            self._part(name, [*celery, "worker", "--loglevel", "WARNING", "-n", f"{name}@%h", *self.tuning.options])
        argv = [sys.executable, "-m", "benchmarks.baseline.publish"]
        with (self._folder / f"{self.name}-publisher.log").open("ab") as log:
            self._publisher = subprocess.Popen(  # noqa: S603 - ourselves
                argv, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def _part(self, name: str, argv: list[str]) -> None:
        part = Part(name, argv, self._environment, self._folder / f"{self.name}-{name}.log")
        self._parts.append(part)
        part.start()

    def round(self, runs: int) -> Round:
        stored = self._number(STORED)
        before, begun = self._cpu(), time.monotonic()
        told = self._ask_publisher(runs)
        wait_until(lambda: self._number(STORED) >= stored + runs, 60 + runs / 5, f"{self.name} has stored every result")
        seconds = time.monotonic() - begun
        after = self._cpu()
        if self._number(WELL) != stored + runs:
            raise Failed(f"{self.name}: not every task has succeeded once")
        cpu_seconds = {name: after[name] - before[name] for name in after} | {"publisher": told["cpu"]}
        return Round(runs, seconds, cpu_seconds, self.tuning.facts)

    def _ask_publisher(self, runs: int) -> dict[str, float]:
        """The workers work meanwhile; so it does not matter that its answer is awaited first."""
        assert self._publisher.stdin
        assert self._publisher.stdout
        self._publisher.stdin.write(f"{runs}\n")
        self._publisher.stdin.flush()
        line = self._publisher.stdout.readline()
        if not line:
            raise Failed(f"{self.name}: the publisher has ended")
        answer: dict[str, float] = json.loads(line)
        return answer

    def _number(self, question: str) -> int:
        return int(self._database.rows(question)[0][0])

    def _cpu(self) -> dict[str, float]:
        trees = {part.name: cpu.tree(part.process.pid) for part in self._parts if part.process}
        workers = sum((used for name, used in trees.items() if name.startswith("worker")), Cpu())
        found = {"workers": workers.own, "commands": workers.reaped, "beat": trees["beat"].total}
        for name, pid in (("database", self._database.pid), ("broker", self._broker.pid)):
            if pid:
                found[name] = cpu.tree(pid).total
        return found
