"""Which servers run, as tests and benchmarks want to know it."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from services.base import Server
from services.certificates import Certificates
from services.postgresql import PostgreSQL
from services.rabbitmq import RabbitMQ
from services.redis import Redis

SERVERS: dict[str, type[Server]] = {each.kind: each for each in (PostgreSQL, RabbitMQ, Redis)}
FILE = "services.json"
BROWSER = {"chromium": "chromium", "chromium-driver": "chromedriver"}
"""Package → program: what tests of pages need beside servers. It is installed with them, and is no server."""


@dataclass(frozen=True)
class Entry:
    """Where one server is. `tls_url` is empty if its build cannot encrypt."""

    url: str
    tls_url: str


@dataclass(frozen=True)
class Services:
    """The servers that run now, None for those that do not; `missing` says why (kind → reason)."""

    folder: Path
    certificates: Certificates
    postgresql: Entry | None = None
    rabbitmq: Entry | None = None
    redis: Entry | None = None
    missing: dict[str, str] = field(default_factory=dict)


def default_folder() -> Path:
    """`SERVICES_DIR`, else `var/services` beside this package."""
    named = os.environ.get("SERVICES_DIR")
    return Path(named).absolute() if named else Path(__file__).parent.parent / "var" / "services"


def load(folder: Path | None = None) -> Services:
    """Read `services.json`, and believe it only as far as the servers' processes live. Starts nothing."""
    folder = folder or default_folder()
    try:
        known = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        known = {}
    missing = dict(known.get("missing", {}))
    running = {}
    for kind, server in SERVERS.items():
        if kind in known and server(folder / kind).running:
            running[kind] = Entry(**known[kind])
        else:
            missing.setdefault(kind, "it is not running")
    return Services(folder, Certificates(folder / "certificates"), missing=missing, **running)
