"""No process is ever signalled but the one that was started."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import Redis, process
from tests.waiting import wait_until


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with us."""
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        assert child.poll() is None, "it was ended by somebody else"
        child.kill()


def test_a_pid_that_is_used_again_is_not_signalled(bystander: "subprocess.Popen[bytes]", tmp_path: Path):
    server = Redis(tmp_path)
    (tmp_path / "process.json").write_text(json.dumps({"pid": bystander.pid, "birth": "an earlier boot/1"}))
    assert not server.running
    server.stop()
    server.kill()
    process.Process(bystander.pid, process.birth(bystander.pid) + "0").signal(signal.SIGKILL)


def test_a_server_that_lost_its_pid_to_another_process_starts_again(
    bystander: "subprocess.Popen[bytes]", private_redis: Redis
):
    address = private_redis.url
    private_redis.kill()
    (private_redis.folder / "process.json").write_text(json.dumps({"pid": bystander.pid, "birth": "an earlier boot/1"}))
    private_redis.start()
    assert private_redis.url == address
    assert private_redis.running


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}'])
def test_a_damaged_record_is_no_process(tmp_path: Path, text: str):
    (tmp_path / "process.json").write_text(text)
    assert not Redis(tmp_path).running


def test_kill_tree_reaches_children_in_sessions_of_their_own(tmp_path: Path):
    script = "setsid sleep 60 & echo $!; wait"
    root = process.start(["bash", "-c", script], dict(os.environ), tmp_path, tmp_path / "log")
    child = int(wait_until((tmp_path / "log").read_text, what="the child has started"))
    process.kill_tree(root)
    assert not root.alive
    wait_until(lambda: not process.birth(child), what="the child is gone")


def test_a_zombie_is_not_alive():
    with subprocess.Popen(["true"]) as child:
        known = process.Process(child.pid, process.birth(child.pid) or "gone")
        wait_until(lambda: not known.alive, what="it has ended, though nobody has collected it")


def test_what_ended_before_anybody_looked_is_not_alive():
    with subprocess.Popen(["true"]) as child:
        child.wait()
        assert not process.Process(child.pid, process.birth(child.pid)).alive
