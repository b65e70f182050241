"""Ordinary Celery tasks on ordinary Celery workers."""

import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler_project.standalone.state import free_port
from tests.waiting import wait_until
from tests.workers_app.messaging.redis_streams.workers import jobs


@pytest.mark.parametrize(("pool", "concurrency"), [("solo", 1), ("threads", 3), ("prefork", 2)])
def test_tasks_are_done_retried_and_delayed(crew, private_server, pool, concurrency):
    worker = crew.start(pool, concurrency)
    crew.send_many(jobs.write, 100)
    crew.send_many(jobs.write_late, 20)
    crew.send(jobs.again, "retried")
    crew.send(jobs.write, "countdown", countdown=0.2)
    crew.send(jobs.write, "eta", eta=datetime.now(UTC) + timedelta(seconds=0.3))
    crew.wait_for_numbers(100)
    crew.wait_for("retried 0", "retried 1", "retried 2", "countdown", "eta")
    wait_until(lambda: not private_server.left(), what="all is confirmed")
    assert len(crew.lines()) == 125
    crew.stop(worker)
    assert not private_server.streams()


def test_children_of_a_worker_share_its_tasks(crew):
    crew.start("prefork", 3)
    crew.send_many(jobs.pid, 30)
    wait_until(lambda: len(crew.lines()) == 30, 20)
    assert len(set(crew.lines())) == 3


def test_two_workers_share_a_queue(crew):
    crew.start()
    crew.start()
    crew.send_many(jobs.pid, 40)
    wait_until(lambda: len(crew.lines()) == 40, 20)
    assert len(set(crew.lines())) == 2


def test_urgent_tasks_come_first(crew):
    for priority in (9, 0, 6, 3):
        for number in range(3):
            crew.send(jobs.write, f"{priority} {number}", priority=priority)
    crew.start()
    wait_until(lambda: len(crew.lines()) == 12)
    assert [line[0] for line in crew.lines()] == ["0"] * 3 + ["3"] * 3 + ["6"] * 3 + ["9"] * 3


def test_a_worker_can_be_asked_and_told(crew):
    worker = crew.start("prefork", 1)
    assert "w0@test: OK" in crew.run("inspect", "ping", "-d", "w0@test", "-t", "10")
    assert "'celery'" in crew.run("inspect", "active_queues", "-d", "w0@test", "-t", "10")
    assert "w0@test" in crew.run("control", "add_consumer", "extra", "-d", "w0@test", "-t", "10")
    crew.send(jobs.write, "extra", queue="extra")
    crew.wait_for("extra")
    assert "w0@test" in crew.run("control", "cancel_consumer", "extra", "-d", "w0@test", "-t", "10")
    crew.run("control", "shutdown")
    assert worker.wait(20) == 0


def test_events_tell_of_tasks(crew):
    crew.start("solo", 1, "-E")
    seen: set[str] = set()
    with crew.app.connection_for_read() as connection:
        receiver = crew.app.events.Receiver(connection, handlers={"*": lambda event: seen.add(event["type"])})
        thread = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=None, wakeup=True))
        thread.start()
        wait_until(lambda: "worker-heartbeat" in seen, what="the receiver listens")
        crew.send(jobs.write, "x")
        wait_until(lambda: {"task-received", "task-started", "task-succeeded"} <= seen, what="the task's events")
        receiver.should_stop = True
        thread.join(10)


def test_flower_sees_workers_and_tasks(crew):
    crew.start("solo", 1, "-E")
    port = free_port()

    def ask(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return None

    with crew.running("flower", f"--port={port}", "--address=127.0.0.1", FLOWER_UNAUTHENTICATED_API="true"):
        wait_until(lambda: "w0@test" in (ask("/api/workers?refresh=1") or ("", ""))[1], 30, "Flower sees the worker")
        crew.send(jobs.write, "x")
        wait_until(lambda: "SUCCESS" in ask("/api/tasks")[1], 20, "Flower sees the task")
        assert ask("/broker")[0] in (200, 404)
        assert ask("/workers")[0] == 200


def test_purging_by_command(crew, private_server):
    crew.send_many(jobs.write, 7)
    assert "7 messages" in crew.run("purge", "-f")
    assert not private_server.left()


def test_a_stopped_worker_gives_back_what_it_had_not_begun(crew, private_server):
    worker = crew.start("solo", 1, "--prefetch-multiplier=4")
    for number in range(4):
        crew.send(jobs.pause, number, 1.0)
    crew.wait_for("begin 0")
    crew.stop(worker)
    assert crew.lines() == ["begin 0", "end 0"]
    assert private_server.left() == 3
    crew.start()
    crew.wait_for("end 1", "end 2", "end 3")
    assert crew.lines().count("end 0") == 1


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_task_longer_than_claim_after_runs_once(crew, pool, private_server):
    crew.start(pool)
    crew.send(jobs.pause, "long", 4.0)
    crew.wait_for("begin long")
    crew.start(pool)
    crew.wait_for("end long")
    wait_until(lambda: not private_server.left(), what="it is confirmed")
    assert crew.lines() == ["begin long", "end long"]


def test_an_idle_worker_asks_for_next_to_nothing(make_crew, private_server):
    crew = make_crew(private_server)
    crew.start("solo", 1, "--without-heartbeat", "--without-gossip")
    crew.send(jobs.write, "x")
    crew.wait_for("x")
    wait_until(lambda: not private_server.left())
    before, began = private_server.commands(), private_server.client.info("server")["uptime_in_seconds"]
    wait_until(lambda: private_server.client.info("server")["uptime_in_seconds"] >= began + 3)
    assert private_server.commands() - before <= 6
