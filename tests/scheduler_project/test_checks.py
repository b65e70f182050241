"""`manage.py check` names what is wrong with the environment."""

import os
import subprocess
import sys

import pytest

from tests.acceptance.harness import ROOT
from workers_app.messaging.sealing import new_key

GOOD = {"SECRET_KEY": "x" * 50, "BROKER_URL": "redis://localhost", "SCHEDULER_MESSAGE_KEYS": new_key()}


def check(**environment: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "manage.py", "check"]
    kept = {"PATH": os.environ["PATH"], "STATE_DIR": "/nowhere"}
    return subprocess.run(argv, env=kept | environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_complete_environment():
    done = check(**GOOD)
    assert done.returncode == 0, done.stderr


def test_an_empty_environment_names_all_that_is_missing():
    done = check()
    assert done.returncode == 1
    for name in GOOD:
        assert f"{name} is not set." in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BROKER_URL", "ftp://x", "its scheme must be one of"),
        ("CELERY_BEAT_BROKER_URL", "ftp://x", "its scheme must be one of"),
        ("CELERY_TIMEZONE", "Mars/Olympus", "is not a time zone"),
        ("SCHEDULER_MESSAGE_KEYS", "secret", "32 random bytes"),
        ("SECRET_KEY_FILE", "/nowhere/x", "cannot read /nowhere/x"),
    ],
)
def test_a_bad_value_is_named_with_its_mend(name: str, value: str, words: str):
    environment = {key: given for key, given in GOOD.items() if not name.startswith(key)}
    done = check(**environment, **{name: value})
    assert done.returncode == 1
    assert name in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
