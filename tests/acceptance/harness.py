"""The real processes on a database and a broker of their own, started, killed and looked at by tests."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg

from scheduler_project.standalone.state import free_port
from tests.waiting import wait_until
from workers_app.messaging.sealing import new_key

ROOT = Path(__file__).parents[2]
# As a person types them: unlike `python -m …`, they do not look for modules in the working directory.
CELERY = [str(Path(sys.executable).with_name("celery"))]
UVICORN = [str(Path(sys.executable).with_name("uvicorn"))]
PREPARE = """
import django; django.setup()
from django.core.management import call_command
from scheduler_project.standalone import first_start
call_command("migrate", verbosity=0)
first_start.administrator()
print(first_start.api_key())
"""


def prepare(database_url: str) -> str:
    """Migrate a database and make an administrator; return his API key."""
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": "x", "SCHEDULER_MESSAGE_KEYS": new_key()}
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "scheduler_project.settings", **settings}
    argv = [sys.executable, "-c", PREPARE]
    done = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@cache
def _prepared_sqlite() -> tuple[bytes, str]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "template.sqlite3"
        key = prepare(f"sqlite:///{file}")
        return file.read_bytes(), key


def sqlite_database(folder: Path) -> tuple[str, str]:
    """A prepared database of one's own in `folder`: its address, and the administrator's API key."""
    content, key = _prepared_sqlite()
    (folder / "db.sqlite3").write_bytes(content)
    return f"sqlite:///{folder}/db.sqlite3", key


@cache
def _prepared_postgresql(server_url: str) -> tuple[str, str]:
    name = f"template_{uuid4().hex}"
    _sql(server_url, f"CREATE DATABASE {name}")
    return name, prepare(_database_of(server_url, name))


def postgresql_database(server_url: str) -> tuple[str, str]:
    """The same on a PostgreSQL server."""
    template, key = _prepared_postgresql(server_url)
    name = f"acceptance_{uuid4().hex}"
    _sql(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return _database_of(server_url, name), key


def _sql(server_url: str, statement: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)


def _database_of(server_url: str, name: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


@dataclass
class Stack:
    """Web, dispatchers and workers; `api` speaks REST with the administrator's key."""

    folder: Path
    broker_url: str
    database: tuple[str, str]
    """Its address, and an API key in it."""
    settings: dict[str, str] = field(default_factory=dict)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.worker_environment = {
            **kept,
            "STATE_DIR": str(self.folder),
            "BROKER_URL": self.broker_url,
            "SCHEDULER_MESSAGE_KEYS": new_key(),
        }
        url, self.key = self.database
        self.environment = {
            **self.worker_environment,
            "SECRET_KEY": "x" * 50,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "scheduler_project.settings",
            **self.settings,
        }

    def start(self, name: str, argv: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.processes.append(process)
        return process

    def web(self, wait: bool = True, **settings: str) -> "subprocess.Popen[bytes]":
        argv = [*UVICORN, "scheduler_project.asgi:application", "--port", str(self.port)]
        process = self.start("web", [*argv, "--no-access-log"], self.environment | settings)
        if wait:
            wait_until(self._answers, 30, "the web service answers")
        return process

    def dispatcher(self, name: str = "dispatcher", **settings: str) -> "subprocess.Popen[bytes]":
        argv = [*CELERY, "-A", "scheduler_project", "beat", "--loglevel", "INFO"]
        return self.start(name, argv, self.environment | settings)

    def listens(self, dispatcher: str) -> bool:
        """Whether the dispatcher of that name is connected to the broker."""
        return "Connected to the broker." in (self.folder / f"{dispatcher}.log").read_text()

    def use_broker(self, url: str) -> None:
        """Have what is started from now on use another broker."""
        for environment in (self.environment, self.worker_environment):
            environment["BROKER_URL"] = url

    def worker(
        self, name: str = "worker-1", max_tasks: int = 20, wait: bool = True, **settings: str
    ) -> "subprocess.Popen[bytes]":
        environment = {**self.worker_environment, "WORKER_NAME": name, "WORKER_MAX_TASKS": str(max_tasks), **settings}
        process = self.start(name, [*CELERY, "-A", "workers_app.agent", "worker", "--loglevel", "INFO"], environment)
        if wait:
            wait_until(lambda: process.pid in self._online(), 30, f"worker {name} is online")
        return process

    def celery(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """One of Celery's own commands, to its end."""
        argv = [*CELERY, "-A", "scheduler_project", *words]
        return subprocess.run(argv, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)

    def pings(self) -> bool:
        """A worker answers Celery's own remote control."""
        return "pong" in self.celery("inspect", "ping", "--timeout", "1").stdout

    def _online(self) -> set[int]:
        return {w["pid"] for w in self.get("workers/")["results"] if w["status"] in ("online", "busy")}

    def _answers(self) -> bool:
        try:
            return self.request("GET", "tasks/")[0] == 200
        except urllib.error.URLError:
            return False

    # REST

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, seconds: float = 30
    ) -> tuple[int, Any]:
        request = urllib.request.Request(
            path if path.startswith("http") else f"http://127.0.0.1:{self.port}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Api-Key {self.key}", "Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def get(self, path: str) -> Any:
        status, body = self.request("GET", path)
        assert status == 200, body
        return body

    def post(self, path: str, body: Any = None) -> Any:
        status, answer = self.request("POST", path, body)
        assert status in (200, 201, 202), answer
        return answer

    def task(self, command: str, name: str = "task", executor: str = "shell", **fields: Any) -> int:
        return int(self.post("tasks/", {"name": name, "executor": executor, "command": command, **fields})["id"])

    def run(self, task: int) -> str:
        return str(self.post(f"tasks/{task}/run/")["id"])

    def wait_for(self, run: str, *statuses: str, seconds: float = 30) -> Any:
        """The run as soon as it has one of `statuses`."""
        wanted = statuses or ("succeeded",)

        def look() -> Any:
            found = self.get(f"runs/{run}/")
            return found if found["status"] in wanted else None

        return wait_until(look, seconds, f"run {run} is {' or '.join(wanted)}")

    def counts(self, task: int) -> dict[str, int]:
        """How many runs of the task have which status."""
        return dict(Counter(run["status"] for run in self.runs(task)))

    def runs(self, task: int) -> list[dict[str, Any]]:
        """All runs of the task."""
        found: list[dict[str, Any]] = []
        page = f"runs/?task={task}&page_size=500"
        while page:
            answer = self.get(page)
            found += answer["results"]
            page = answer["next"]
        return found

    def log(self, run: str) -> str:
        return "".join(piece["text"] for piece in self.get(f"runs/{run}/logs/")["logs"])

    def close(self) -> None:
        """End everything that is left, and see that nothing stays behind."""
        left = [child for process in self.processes for child in _family(process)]
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        wait_until(lambda: not any(map(_lives, left)), 10, "nothing is left behind")


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    """False for a zombie too: whoever inherited it will reap it in its own time."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def running(marker: str) -> list[psutil.Process]:
    """Processes with `marker` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if marker in (process.info["cmdline"] or []) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found
