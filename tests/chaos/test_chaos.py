"""A small part of `make chaos`: three minutes with faults in any order, on PostgreSQL and Redis Streams."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from services import Entry
from tests.chaos.__main__ import ROOMY
from tests.chaos.nemesis import Wish, run
from tests.chaos.windows import TRAFFIC

pytestmark = pytest.mark.acceptance

PATIENT = replace(TRAFFIC, healthy_seconds=15)
"""How soon a run starts when nothing is broken, `make chaos` judges: a test may not depend on how busy a machine is."""
FAULTS = ("kill_dispatcher", "kill_worker", "freeze", "broker_killed", "database_killed", "partition")


def test_nothing_is_lost_and_nothing_doubled(postgresql: Entry, redis_server: Entry):
    """With both servers there, private ones can be had too."""
    folder = Path(tempfile.mkdtemp(prefix="scheduler-chaos-", dir=ROOMY))
    folder.chmod(0o711)
    verdict = run(Wish(faults=FAULTS, mixed=True, seconds=120, seed=7), folder, limits=PATIENT)
    print(json.dumps(verdict.figures))
    assert verdict.findings == [], f"The history is in {folder}: python -m tests.chaos.checker {folder}"
    shutil.rmtree(folder)
