"""Tests that need a server which is not there are skipped, and that is said at the end."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it(rabbitmq, number): ...

def test_other(): ...
"""


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"SERVICES_DIR": str(folder / "none"), "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "pytest", "-rs", "-p", "tests.servers", "--rootdir", str(folder), str(folder)]
    argv += ["-p", "no:django", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def test_a_missing_server_is_named_with_its_reason(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(TEST)
    output = run(tmp_path)
    assert "1 passed, 2 skipped" in output
    assert "RabbitMQ is missing: it is not running. make services" in output
    assert output.count("RabbitMQ: it is not running.") == 1


def test_nothing_is_said_when_nothing_was_needed(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(TEST)
    output = run(tmp_path, "-k", "other")
    assert "1 passed" in output
    assert "left out" not in output
