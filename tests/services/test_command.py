"""`python -m services` as people and CI call it, on a machine without RabbitMQ, which takes long."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import services
from services import PostgreSQL, Redis
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that keeps its data from test to test, as making a PostgreSQL cluster takes a second."""
    folder = tmp_path_factory.mktemp("command") / "services"
    yield folder
    PostgreSQL(folder / "postgresql").wipe()


@pytest.fixture
def folder(data: Path) -> Iterator[Path]:
    """The folder, where nothing runs."""
    yield data
    PostgreSQL(data / "postgresql").kill()
    redis = Redis(data / "redis")
    redis.kill()
    redis.wipe()


def call(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command; `erl`, and so RabbitMQ, is not in its PATH."""
    programs = folder.parent / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("bash", "sleep", "redis-server"):
        target = Path("/usr/bin") / name
        if target.exists() and not (programs / name).exists():
            (programs / name).symlink_to(target)
    environment = os.environ | {"PATH": str(programs), "SERVICES_DIR": str(folder), "SERVICES_INSTALL": "0"}
    # Whoever runs the tests in the background may ignore SIGINT, and what ignores it cannot trap it either.
    argv = ["/usr/bin/env", "--default-signal", sys.executable, "-m", "services", *arguments]
    return subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip


def result(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_start_status_stop(folder: Path):
    code, output = result(call(folder, "start"))
    assert code == 0
    assert "RabbitMQ" in output
    assert "SERVICES_INSTALL=0" in output
    known = services.load(folder)
    assert known.redis
    assert known.rabbitmq is None
    assert "RabbitMQ is not installed" in known.missing["rabbitmq"]
    assert known.certificates.ca.exists()
    password = Redis(folder / "redis").memory["password"]
    assert password in known.redis.url
    assert password not in output
    file = folder / "services.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(file.read_text())) <= {"postgresql", "rabbitmq", "redis", "certificates", "missing"}
    assert result(call(folder, "stop")) == (0, "")
    known = services.load(folder)
    assert known.redis is None
    assert known.missing["redis"] == "it is not running"
    assert "not running" in result(call(folder, "status"))[1]


def test_run_gives_the_exit_code_and_the_last_word(folder: Path):
    command = 'echo "in $SERVICES_DIR"; echo last words; exit 7'
    code, output = result(call(folder, "run", "--", "bash", "-c", command))
    assert code == 7
    assert output.endswith(f"in {folder}\nlast words\n")
    assert services.load(folder).redis is None


def test_run_stops_only_what_it_started(folder: Path):
    result(call(folder, "start"))
    Redis(folder / "redis").kill()
    process = PostgreSQL(folder / "postgresql").process
    assert result(call(folder, "run", "bash", "-c", "true"))[0] == 0
    assert not Redis(folder / "redis").running
    assert PostgreSQL(folder / "postgresql").process == process


def test_the_last_of_two_runs_stops_the_servers(folder: Path):
    first, second = folder.parent / "first", folder.parent / "second"
    wait = 'echo > "$0"; until [ -e "$0.end" ]; do sleep 0.05; done'
    one = call(folder, "run", "bash", "-c", wait, str(first))
    wait_until(first.exists, 60)
    two = call(folder, "run", "bash", "-c", wait, str(second))
    wait_until(second.exists, 60)
    Path(f"{first}.end").touch()
    assert result(one)[0] == 0
    assert services.load(folder).redis
    Path(f"{second}.end").touch()
    assert result(two)[0] == 0
    assert services.load(folder).redis is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_once_and_its_code_comes_back(folder: Path, number: signal.Signals):
    script = 'trap "echo signal; exit 9" INT TERM; echo ready; while true; do sleep 0.05; done'
    process = call(folder, "run", "bash", "-c", script)
    assert process.stdout
    while process.stdout.readline() not in ("ready\n", ""):
        pass
    process.send_signal(number)
    assert result(process) == (9, "signal\n")
    assert services.load(folder).redis is None


@pytest.mark.parametrize(
    ("command", "code"),
    [(["bash", "-c", "kill -KILL $$"], 137), (["/no/such/program"], 127)],
    ids=["killed", "unknown"],
)
def test_codes_as_a_shell_gives_them(folder: Path, command: list[str], code: int):
    assert result(call(folder, "run", "--", *command))[0] == code


def test_a_server_that_cannot_start_is_an_error(folder: Path):
    result(call(folder, "start"))
    result(call(folder, "stop"))
    (folder / "redis" / "data" / "appendonlydir").rename(folder / "redis" / "data" / "gone")
    (folder / "redis" / "data" / "appendonlydir").write_text("not a directory")
    code, output = result(call(folder, "start"))
    assert code == 1
    assert "Redis ended while it started" in output


@pytest.mark.parametrize("arguments", [[], ["run"], ["start", "now"], ["jump"]])
def test_what_makes_no_sense_is_answered_with_the_usage(tmp_path: Path, arguments: list[str]):
    code, output = result(call(tmp_path / "services", *arguments))
    assert code == 2
    assert "start|stop|status|run" in output
    assert not (tmp_path / "services").exists()
