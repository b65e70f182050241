"""Runs are triggered at a steady rate, whatever happens; what is refused, or not answered, is asked for again."""

import threading
import time
from itertools import count
from uuid import uuid4

from tests.acceptance.harness import Stack
from tests.chaos.traffic import FAILURES

THREADS = 4
REQUEST_SECONDS = 10.0
AGAIN_SECONDS = 0.1


class Load:
    """While the block lasts, `rate` runs of a task a second, `batch` of them in each request.

    Triggers have moments of their own at which they are due. Those that could not be made then are made as soon as
    the service takes them.
    """

    def __init__(self, stack: Stack, task: int, rate: float, batch: int = 1) -> None:
        self.accepted: dict[str, float] = {}
        """Run → when we knew that it was accepted (monotonic)."""
        self.refused = 0
        """Requests that were answered with an error, or not at all."""
        self._stack, self._task, self._batch = stack, task, batch
        self._pause = batch / rate
        self._numbers = count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"load-{n}") for n in range(THREADS)]

    def __enter__(self) -> "Load":
        self._begin = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._begin + next(self._numbers) * self._pause - time.monotonic()):
            wishes = [{"task": self._task, "idempotency_key": str(uuid4())} for _ in range(self._batch)]
            while not self._made(wishes) and not self._stop.wait(AGAIN_SECONDS):
                self.refused += 1

    def _made(self, wishes: list[dict[str, object]]) -> bool:
        try:
            status, body = self._stack.request("POST", "runs/bulk/", wishes, seconds=REQUEST_SECONDS)
        except FAILURES:
            return False
        if status == 202:
            self.accepted |= {run["id"]: time.monotonic() for run in body["runs"]}
        return status == 202
