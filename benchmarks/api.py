"""The scheduler's REST API, as far as a benchmark speaks it."""

import json
import urllib.error
import urllib.request
from typing import Any

MOST = 1000
"""Triggers in one request."""


class Api:
    """`url` is that of the web service."""

    def __init__(self, url: str, key: str) -> None:
        self.root = f"{url}/api/v1/"
        self.key = key
        self._headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, method=method, data=data, headers=self._headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own loopback address
            return json.loads(answer.read())

    def answers(self) -> bool:
        try:
            self.call("GET", "tasks/?page_size=1")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def task(self, name: str, executor: str, command: str, config: dict[str, Any] | None = None) -> int:
        body = {"name": name, "executor": executor, "command": command, "config": config or {}}
        return int(self.call("POST", "tasks/", body)["id"])

    def trigger(self, task: int, number: int) -> None:
        for begin in range(0, number, MOST):
            self.call("POST", "runs/bulk/", [{"task": task}] * min(MOST, number - begin))

    def workers_online(self) -> int:
        return sum(worker["status"] in ("online", "busy") for worker in self.call("GET", "workers/")["results"])
