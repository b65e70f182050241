"""The worker process as a whole: what it needs, and what it must not need."""

import os
import subprocess
import sys
from pathlib import Path

from workers_app.messaging.sealing import new_key

ROOT = Path(__file__).parents[3]
WITHOUT_DJANGO = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "rest_framework", "psycopg", "sqlite3", "tasks_app", "access_app"):
            raise ImportError(f"a worker must not import {name}")

sys.meta_path.insert(0, Refuse())
import workers_app.agent, workers_app.agent.consumer, workers_app.agent.pool, executors
for name in executors.specs():
    executors.load(name)
print("fine")
"""


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {"PATH": os.environ["PATH"], "STATE_DIR": "/nowhere"}
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, env=kept | environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_needs_no_django_and_no_database():
    done = run(WITHOUT_DJANGO, BROKER_URL="redis://localhost", SCHEDULER_MESSAGE_KEYS=new_key())
    assert done.stdout == "fine\n", done.stderr


def test_it_does_not_start_without_broker_and_keys():
    done = run("import workers_app.agent", WORKER_MAX_TASKS="0", WORKER_LABELS="gpu")
    assert done.returncode == 1
    for name in ("BROKER_URL", "SCHEDULER_MESSAGE_KEYS", "WORKER_MAX_TASKS", "WORKER_LABELS"):
        assert name in done.stderr


def test_it_does_not_start_with_a_key_that_is_none():
    done = run("import workers_app.agent", BROKER_URL="ftp://x", SCHEDULER_MESSAGE_KEYS="secret")
    assert done.returncode == 1
    assert "32 random bytes" in done.stderr
    assert "BROKER_URL" in done.stderr
