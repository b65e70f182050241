"""Workers and servers that are killed while tasks flow: none may be lost."""

import random

import pytest

from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.workers import jobs

TASKS = 500


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_late_acknowledged_task_whose_worker_dies_is_done_once_more(crew, monkeypatch, pool, private_server):
    monkeypatch.setenv("JOBS_KILL", "parent" if pool == "prefork" else "self")
    worker = crew.start(pool)
    crew.send(jobs.die_once, "x")
    worker.wait(20)
    crew.start()
    crew.wait_for("x first", "x again")
    wait_until(lambda: not private_server.left(), what="it is confirmed")
    assert crew.lines() == ["x first", "x again"]


@pytest.mark.parametrize(("task", "pool"), [(jobs.write_late, "solo"), (jobs.write_late, "prefork")])
def test_no_task_is_lost_when_workers_are_killed_again_and_again(crew, private_server, task, pool):
    chance = random.Random(1)
    steady = crew.start(pool)
    crew.send_many(task, TASKS)
    for round_ in range(4):
        victim = crew.start(pool)
        crew.send_many(task, TASKS)
        done = len(crew.lines()) + chance.randrange(150)
        wait_until(lambda done=done: len(crew.lines()) >= done or not private_server.left(), 20)
        crew.kill(victim)
        if round_ == 2:
            crew.kill(steady)
            steady = crew.start(pool)
    wait_until(lambda: not private_server.left(), 60, "all is confirmed")
    counts = {str(number): 0 for number in range(TASKS)}
    for line in crew.lines():
        counts[line] += 1
    assert min(counts.values()) >= 5
    assert sum(counts.values()) < 5 * TASKS + 5 * 10


def test_a_worker_goes_on_when_the_server_comes_back(crew, private_server):
    crew.start("prefork", 2)
    for _ in range(2):
        crew.send_many(jobs.write_late, TASKS)
        wait_until(lambda: len(crew.lines()) > 50, 20)
        private_server.kill()
        private_server.start()
    wait_until(lambda: not private_server.left(), 60, "all is confirmed")
    crew.wait_for_numbers(TASKS)


def test_a_worker_goes_on_when_the_server_comes_back_empty(crew, private_server):
    crew.start()
    crew.send_many(jobs.write, TASKS)
    wait_until(lambda: len(crew.lines()) > 50, 20)
    private_server.kill()
    private_server.wipe()
    private_server.start()
    crew.send(jobs.write, "after")
    crew.wait_for("after")
    assert "w0@test: OK" in crew.run("inspect", "ping", "-d", "w0@test", "-t", "10")


def test_an_idle_worker_goes_on_when_all_is_flushed(crew, private_server):
    crew.start()
    crew.send(jobs.write, "before")
    crew.wait_for("before")
    private_server.client.flushall()
    crew.send(jobs.write, "after")
    crew.wait_for("after")
