"""Which steps there are, and that the smallest parts do what the rest relies on."""

import os
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest

from benchmarks import cpu, plan, size, throughput
from benchmarks.stamp import Stamp


def test_the_first_stack_gets_everything():
    names = [step.measure for step in plan.steps("postgresql/rabbitmq", True, plan.NAMES, size.QUICK)]
    assert names == [
        *("memory", "baseline", "http", "latency", "cron", "concurrency"),
        *("flow", "children", "fan_out", "rate", "blocked", "tenants"),
        *("planning", "apply", "fires", "scale"),
    ]


def test_the_others_get_throughput():
    for chosen, wanted in ((size.FULL, ["shell", "http"]), (size.QUICK, ["shell"])):
        assert [step.measure for step in plan.steps("sqlite/rabbitmq", False, plan.NAMES, chosen)] == wanted


def test_without_the_baseline_shell_is_measured_by_itself():
    names = [step.measure for step in plan.steps("postgresql/rabbitmq", True, ["throughput"], size.QUICK)]
    assert names == ["shell", "http"]


def test_brokers_and_databases_can_be_chosen():
    assert plan.stacks(size.FULL, ["sqlite"], ["rabbitmq"]) == [("sqlite", "rabbitmq")]
    assert len(plan.stacks(size.QUICK, [], [])) == 3


def test_the_streams_give_way_where_they_are_not_known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.servers.streams_known", lambda: False)
    assert plan.stacks(size.QUICK, ["sqlite"], []) == [("sqlite", "valkey-lists")]
    assert len(plan.stacks(size.FULL, ["postgresql"], [])) == 2


def test_cpu_of_children_counts_when_they_have_been_reaped():
    before = cpu.tree(os.getpid())
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"], check=True)
    used = cpu.tree(os.getpid()) - before
    assert used.reaped > 0
    assert cpu.memory_mb(os.getpid())["pss"] > 1


def test_a_family_is_found_from_above_and_from_below():
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert child.pid in cpu.family(os.getpid())
        assert cpu.parent(child.pid) == os.getpid()
    finally:
        child.kill()
        child.wait()
    assert child.pid not in cpu.children(os.getpid())


def test_the_stamp_tells_run_start_and_nominal_time(tmp_path: Path):
    stamp = Stamp(tmp_path)
    what = stamp.task
    environment = {"SCHEDULER_RUN_ID": "r1", "SCHEDULER_SCHEDULED_FOR": "2030-01-01T00:00:00+00:00", "PATH": os.defpath}
    args = what["config"].get("args")
    argv = ["/bin/sh", "-c", what["command"]] if args is None else [what["command"], *args]
    subprocess.run(argv, env=environment, check=True)
    assert stamp.count() == 1
    (start,) = stamp.starts()
    assert (start.run, start.nominal) == ("r1", 1893456000)
    stamp.forget()
    assert stamp.count() == 0


def test_the_target_answers_every_request_of_a_connection():
    with throughput.target() as url:
        connection = HTTPConnection(url.removeprefix("http://").rstrip("/"))
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"twenty bytes of text"
        connection.close()
