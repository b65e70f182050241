"""What a standalone installation keeps in `STATE_DIR`: generated settings, and who is who while it runs."""

import fcntl
import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any, TextIO

from workers_app.messaging.sealing import new_key

GENERATED = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "SCHEDULER_MESSAGE_KEYS": new_key,
    "BROKER_PASSWORD": lambda: secrets.token_urlsafe(24),
}


class AlreadyRunning(Exception):
    """Another standalone process uses the same `STATE_DIR`."""


class State:
    """The folder and its files; everything in it is for its owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "settings"
        self.logs = folder / "logs"
        for each in (folder, self.settings, self.logs):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def lock(self) -> TextIO:
        """Hold the folder as long as the returned file is open; raises `AlreadyRunning`."""
        file = (self.folder / "lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AlreadyRunning(f"Another standalone scheduler runs in {self.folder}.") from None
        return file

    def generate(self) -> bool:
        """Make the settings that are missing; True if there were any."""
        missing = [name for name in GENERATED if not (self.settings / name).exists()]
        for name in missing:
            self.write(self.settings / name, GENERATED[name]())
        return bool(missing)

    def write(self, path: Path, text: str) -> None:
        """Replace a file in one step, readable by its owner only."""
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.rename(path)

    @property
    def card(self) -> dict[str, Any]:
        """What `standalone.json` says: url, admin_user, admin_password, api_key, broker_url, database_url, pids."""
        try:
            return dict(json.loads((self.folder / "standalone.json").read_text()))
        except FileNotFoundError:
            return {}

    @card.setter
    def card(self, values: dict[str, Any]) -> None:
        self.write(self.folder / "standalone.json", json.dumps(values, indent=2) + "\n")


def port_is_free(port: int) -> bool:
    """True if nobody listens on the loopback `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
