"""From one broker to another by configuration, one service after the other, while a thousand runs are in flight."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.harness import Stack, postgresql_database, running
from tests.acceptance.load import Load
from tests.brokers import address, empty
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance

IN_FLIGHT = 1000
SAYS = 'echo "$SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT {word}" >> {ledger}; '


class Services:
    """The three services, of which each can be started anew with another broker."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.web, self.dispatcher, self.worker = stack.web(), stack.dispatcher(), self._worker()

    def _worker(self):
        return self.stack.worker("worker-1", max_tasks=2 * IN_FLIGHT, WORKER_GRACE_SECONDS="5")

    def move(self, broker_url: str) -> None:
        """Restart worker, dispatcher and web in this order, as docs/brokers.md says."""
        self.stack.use_broker(broker_url)
        self._end(self.worker)
        self.worker = self.stack.worker("worker-1", 2 * IN_FLIGHT, wait=False, WORKER_GRACE_SECONDS="5")
        self._end(self.dispatcher)
        self.dispatcher = self.stack.dispatcher()
        self._end(self.web)
        self.web = self.stack.web()

    def _end(self, process) -> None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_there_and_back_with_a_thousand_runs_in_flight(make_stack, redis_server, rabbitmq, postgresql, tmp_path):
    brokers = [address("streams", redis_server.url), rabbitmq.url]
    for url in (redis_server.url, rabbitmq.url):
        empty(url)
    stack = make_stack(broker_url=brokers[0], database=postgresql_database(postgresql.url))
    services = Services(stack)
    with Load(stack, tmp_path / "load", pause=0.2) as load:
        for direction, broker_url in enumerate([brokers[1], brokers[0]]):
            ledger = tmp_path / f"ledger-{direction}"
            tasks = [
                in_flight(stack, ledger, f"{direction}-short", 4),
                in_flight(stack, ledger, f"{direction}-long", 9),
            ]
            wait_until(lambda: len(lines(ledger)) >= IN_FLIGHT, 60, "a thousand runs are in flight")  # noqa: B023
            services.move(broker_url)
            load.goes_on(5)
            for task in tasks:
                wait_until(lambda: set(stack.counts(task)) == {"succeeded"}, 90, "all have succeeded")  # noqa: B023
            words = Counter(lines(ledger))
            ended = Counter(line.split()[0] for line in words if line.endswith("end"))
            assert len(ended) == IN_FLIGHT, "every run has ended"
            assert set(ended.values()) == {1}, "none of them twice"
            assert set(words.values()) == {1}, "no attempt has started twice"
    load.settle()
    assert not running("9.1")


def in_flight(stack: Stack, ledger: Path, name: str, seconds: int) -> int:
    command = SAYS.format(word="start", ledger=ledger) + f"sleep {seconds}.1; " + SAYS.format(word="end", ledger=ledger)
    task = stack.task(command, name=name)
    stack.post("runs/bulk/", [{"task": task}] * (IN_FLIGHT // 2))
    return task


def lines(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []
