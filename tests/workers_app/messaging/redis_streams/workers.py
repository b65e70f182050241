"""Worker processes of the `jobs` app, started, killed and asked."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams import jobs

ROOT = Path(__file__).parents[4]
APP = "tests.workers_app.messaging.redis_streams.jobs"


class Crew:
    """Workers of one broker that write to one file."""

    def __init__(self, url: str, folder: Path, **options: Any) -> None:
        self._file = folder / "done"
        self._file.touch()
        self._folder = folder
        self._options = options
        self._url = url
        self._workers: list[subprocess.Popen[bytes]] = []
        self.app = Celery("sender", broker=url, set_as_current=False)
        self.app.conf.update(broker_transport_options=options, task_ignore_result=True)

    @property
    def environment(self) -> dict[str, str]:
        ours = {"JOBS_BROKER": self._url, "JOBS_FILE": str(self._file), "JOBS_OPTIONS": json.dumps(self._options)}
        # Celery's command takes its broker from BROKER_URL, which the tests' settings have set.
        return {**os.environ, **ours, "BROKER_URL": self._url, "PYTHONPATH": str(ROOT), "C_FORCE_ROOT": "1"}

    def start(self, pool: str = "solo", concurrency: int = 1, *arguments: str) -> "subprocess.Popen[bytes]":
        """A worker that is ready."""
        name = f"w{len(self._workers)}"
        log = self._folder / f"{name}.log"
        argv = [sys.executable, "-m", "celery", "-A", APP, "worker", "-P", pool, "-c", str(concurrency)]
        argv += ["-n", f"{name}@test", "-l", "INFO", "--without-mingle", *arguments]
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._workers.append(process)
        wait_until(lambda: " ready." in log.read_text() or process.poll() is not None, 30, f"{name} is ready")
        assert process.poll() is None, log.read_text()
        return process

    def send(self, task: Any, *arguments: Any, **options: Any) -> None:
        self.app.send_task(task.name, arguments, **options)

    def send_many(self, task: Any, count: int, **options: Any) -> None:
        """Each gets its number, in one round trip."""
        with self.app.producer_pool.acquire(block=True) as producer, producer.batch():
            for number in range(count):
                self.app.send_task(task.name, (number,), producer=producer, **options)

    def lines(self) -> list[str]:
        return self._file.read_text().splitlines()

    def wait_for(self, *lines: str, seconds: float = 30.0) -> None:
        wait_until(lambda: set(lines) <= set(self.lines()), seconds, f"{lines[:5]}; there was {self.lines()[-5:]}")

    def wait_for_numbers(self, count: int, seconds: float = 60.0) -> None:
        wanted = {str(number) for number in range(count)}
        wait_until(lambda: wanted <= set(self.lines()), seconds, f"all of {count}; {len(set(self.lines()))} were there")

    def run(self, *arguments: str) -> str:
        """What a `celery` command prints."""
        argv = [sys.executable, "-m", "celery", "-A", APP, *arguments]
        done = subprocess.run(
            argv, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    @contextmanager
    def running(self, *arguments: str, **environment: str) -> Iterator[None]:
        """A `celery` command that goes on until it is stopped."""
        argv = [sys.executable, "-m", "celery", "-A", APP, *arguments]
        with (self._folder / f"{arguments[0]}.log").open("wb") as output:
            process = subprocess.Popen(
                argv, cwd=ROOT, env=self.environment | environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """The worker and its children, with no chance to say anything."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """As an operator does."""
        process.terminate()
        process.wait(30)

    def log(self, number: int = 0) -> str:
        return (self._folder / f"w{number}.log").read_text()

    def close(self) -> None:
        for process in self._workers:
            if process.poll() is None:
                self.kill(process)
        self.app.close()


__all__ = ["Crew", "jobs"]
