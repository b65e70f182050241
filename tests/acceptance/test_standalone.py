"""`manage.py standalone`: one command starts everything, keeps it alive and ends it without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from scheduler_project.standalone.state import free_port
from tests.acceptance.harness import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance


class Standalone:
    """The command in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None

    def command(self) -> "subprocess.Popen[str]":
        environment = {"PATH": os.environ["PATH"], "STATE_DIR": str(self.folder), "PORT": str(self.port)}
        argv = [sys.executable, "manage.py", "standalone"]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def start(self) -> str:
        """Start it and return what it prints until it is ready."""
        self.process = self.command()
        screen = ""
        for line in self.process.stdout or []:
            screen += line
            if "Stop " in line:
                return screen
        pytest.fail(f"not ready:\n{screen}")

    def stop(self, number: int = signal.SIGINT) -> None:
        assert self.process
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive

    @property
    def card(self) -> dict[str, Any]:
        return json.loads((self.folder / "standalone.json").read_text())

    def api(self, path: str) -> Any:
        request = urllib.request.Request(
            f"{self.card['url']}/api/v1/{path}", headers={"Authorization": f"Api-Key {self.card['api_key']}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[Standalone]:
    found = Standalone(tmp_path)
    yield found
    if found.process and found.process.poll() is None:
        found.process.terminate()
        found.process.communicate(timeout=30)


def test_it_starts_mends_itself_stops_and_goes_on(standalone: Standalone):
    screen = standalone.start()
    card = standalone.card
    assert set(card) == {"url", "admin_user", "admin_password", "api_key", "broker_url", "database_url", "pids"}
    assert set(card["pids"]) == {"supervisor", "broker", "web", "dispatcher", "worker"}
    for shown in ("url", "admin_user", "admin_password", "api_key"):
        assert card[shown] in screen
    for file in standalone.folder.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    assert {task["name"] for task in standalone.api("tasks/")["results"]} == {
        "sample-clock",
        "sample-health",
        "sample-hello",
    }
    with urllib.request.urlopen(f"{card['url']}/admin/login/") as page:
        assert page.status == 200

    os.kill(card["pids"]["worker"], signal.SIGKILL)
    wait_until(lambda: standalone.card["pids"]["worker"] != card["pids"]["worker"], 15, "the worker is started again")

    standalone.stop()
    standalone.start()
    assert standalone.card["api_key"] == card["api_key"]
    assert len(standalone.api("tasks/")["results"]) == 3

    second = standalone.command()
    output, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    assert "STATE_DIR" in output
    standalone.stop(signal.SIGTERM)


def test_nothing_secret_is_in_a_process_list(standalone: Standalone):
    standalone.start()
    family = psutil.Process(standalone.process.pid).children(recursive=True)
    settings = [(standalone.folder / "settings" / name).read_text() for name in ("SECRET_KEY", "BROKER_PASSWORD")]
    for process in family:
        for secret in (*settings, standalone.card["api_key"], standalone.card["admin_password"]):
            assert secret not in " ".join(process.cmdline())
    (worker,) = [p for p in family if p.pid == standalone.card["pids"]["worker"]]
    assert not {"DATABASE_URL", "SECRET_KEY"} & set(worker.environ())
    standalone.stop()


def test_a_port_in_use_is_said_so(standalone: Standalone):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", standalone.port))
        taken.listen()
        process = standalone.command()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Port {standalone.port} is in use" in output
    assert "Traceback" not in output
