"""Settings of the test run: nothing of the developer's own environment, a folder of its own for all state."""

import os
import tempfile
from pathlib import Path

from workers_app.messaging.sealing import new_key

_folder = Path(tempfile.mkdtemp(prefix="scheduler-tests-"))
for _name in ("SECRET_KEY", "SCHEDULER_MESSAGE_KEYS", "BROKER_URL", "WORKER_NAME", "WORKER_LABELS", "WORKER_MAX_TASKS"):
    os.environ.pop(f"{_name}_FILE", None)
    os.environ.pop(_name, None)
os.environ.update(
    STATE_DIR=str(_folder),
    SECRET_KEY="only for tests, long enough to sign with",
    SCHEDULER_MESSAGE_KEYS=new_key(),
    # Replaced by the fixture `broker_url`; nobody listens here.
    BROKER_URL="redis://127.0.0.1:1/0",
)
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_folder}/tests.sqlite3")

from scheduler_project.settings import *  # noqa: E402, F403

# A real file, so that threads and processes share it as they do in production.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / "tests.sqlite3")}  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
