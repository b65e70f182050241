"""PostgreSQL is killed: the web service says so at once, whatever it is asked, and goes on as soon as it is back."""

import http.client
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest

from tests.acceptance.harness import ROOT, Stack, prepare
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

AT_ONCE, ROUNDS = 40, 4
SECONDS = 2.0
BACK_SECONDS = 3.0
NO_RUN = "00000000-0000-0000-0000-000000000000"
SIGN_IN = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken
user, client = User.objects.get(), Client()
client.force_login(user)
print(client.cookies["sessionid"].value, AccessToken.for_user(user), RefreshToken.for_user(user))
"""
TASK = {"name": "other", "executor": "shell", "command": "true"}


@dataclass(frozen=True)
class Answer:
    what: str
    status: int
    retry_after: str | None
    text: str
    seconds: float


class Client:
    """Asks with a key, with a token, or as a browser with a session."""

    def __init__(self, stack: Stack) -> None:
        argv = [sys.executable, "-c", SIGN_IN]
        done = subprocess.run(argv, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=True)
        session, token, self.refresh = done.stdout.split()
        self.port = stack.port
        self.signed = {
            "key": {"Authorization": f"Api-Key {stack.key}"},
            "token": {"Authorization": f"Bearer {token}"},
            "session": {"Cookie": f"sessionid={session}"},
        }

    def ask(self, sign: str, method: str, path: str, body: Any = None) -> Answer:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", **self.signed[sign]}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text, retry = answer.read().decode(), answer.getheader("Retry-After")
        finally:
            connection.close()
        return Answer(f"{sign} {method} {path}", answer.status, retry, text, time.monotonic() - began)

    def everything(self) -> list[tuple[Any, ...]]:
        """Of each family of addresses some, in all ways to sign in."""
        api = "/api/v1"
        return [
            ("key", "GET", f"{api}/tasks/"),
            ("key", "POST", f"{api}/tasks/", TASK),
            ("token", "GET", f"{api}/tasks/1/"),
            ("key", "PATCH", f"{api}/tasks/1/", {}),
            ("key", "POST", f"{api}/tasks/1/run/", {}),
            ("token", "POST", f"{api}/tasks/1/run/", {}),
            ("key", "POST", f"{api}/runs/bulk/", [{"task": 1}]),
            ("key", "GET", f"{api}/runs/"),
            ("session", "GET", f"{api}/runs/"),
            ("key", "GET", f"{api}/runs/{NO_RUN}/"),
            ("key", "POST", f"{api}/runs/{NO_RUN}/cancel/"),
            ("key", "GET", f"{api}/runs/{NO_RUN}/logs/"),
            ("token", "GET", f"{api}/runs/{NO_RUN}/logs/stream/"),
            ("key", "GET", f"{api}/workers/"),
            ("key", "GET", f"{api}/circuits/"),
            ("token", "GET", f"{api}/schema/"),
            ("key", "POST", f"{api}/schedules/preview/", {"schedule": "@daily"}),
            ("key", "POST", f"{api}/auth/token/", {"username": "admin", "password": "x"}),
            ("key", "POST", f"{api}/auth/token/refresh/", {"refresh": self.refresh}),
            ("session", "GET", "/admin/"),
            ("session", "GET", "/admin/tasks_app/task/"),
        ]

    def ask_all(self) -> list[Answer]:
        wishes = self.everything()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(lambda number: self.ask(*wishes[number % len(wishes)]), range(AT_ONCE)))


def is_unavailable(answer: Answer) -> None:
    assert answer.status == 503, answer
    assert answer.retry_after, answer
    assert int(answer.retry_after) >= 1
    assert answer.seconds < SECONDS, answer
    assert "The database cannot be reached" in answer.text
    if "/api/" in answer.what:
        assert json.loads(answer.text)["error"]["code"] == "unavailable"


def test_everything_says_that_the_database_is_away(make_stack, private_postgresql):
    url = private_postgresql.url
    stack = make_stack(database=(url, prepare(url)))
    web = stack.web()
    client = Client(stack)
    run = stack.run(stack.task("true"))
    watching = threading.Thread(target=client.ask, args=["key", "GET", f"/api/v1/runs/{run}/logs/stream/"])
    watching.start()
    assert all(answer.status < 500 for answer in client.ask_all())
    for _ in range(2):
        private_postgresql.kill()
        answers = [client.ask_all() for _ in range(ROUNDS)]
        print("slowest answers:", *(f"{max(answer.seconds for answer in each):.2f} s" for each in answers))
        for answer in chain(*answers):
            is_unavailable(answer)
        watching.join(SECONDS)
        assert not watching.is_alive(), "the stream has ended"
        alive = client.ask("key", "GET", "/healthz")
        assert (alive.status, alive.seconds < 0.5) == (200, True)
        ready = client.ask("key", "GET", "/readyz")
        assert ready.status == 503
        assert json.loads(ready.text)["database"] != "ok"
        private_postgresql.start()
        back = time.monotonic()
        wait_until(lambda: client.ask("key", "GET", "/api/v1/tasks/").status == 200, BACK_SECONDS, "it is back")
        print(f"back after {time.monotonic() - back:.2f} s")
        assert all(answer.status < 500 for answer in client.ask_all())
    assert web.poll() is None
    log = (stack.folder / "web.log").read_text()
    assert "Traceback" not in log
    assert "database_away" in log
