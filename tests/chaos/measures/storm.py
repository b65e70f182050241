"""A client that asks far more of the API than it can do: `python -m tests.chaos.measures.storm`, a process of its own.

It reads a `Storm` as JSON and prints what became of it as JSON. Requests are sent at their moments whether others have
been answered or not, each over a connection that is free just then, or a new one.
"""

import asyncio
import os
import subprocess
import sys
import time

import msgspec

from benchmarks import cpu
from benchmarks.load import Connections

PATIENCE = 30.0
"""What is not answered so long after the last request counts as never answered."""


class Storm(msgspec.Struct):
    """What to send."""

    url: str
    key: str
    seconds: float
    rate: float = 0.0
    """Requests a second; 0: as many as are answered by turns."""
    clients: int = 0
    """Without a rate: so many ask, each again as soon as it is answered."""


class Answers(msgspec.Struct):
    """What came back. Times are in seconds."""

    answered: list[tuple[int, float]] = []
    """Status, and time from sending (or connecting, where that was needed) to the whole answer."""
    late: list[float] = []
    """By how much each request was sent later than at its moment: that is the client's own fault."""
    accepted: list[str] = []
    """The runs."""
    unanswered: int = 0
    cpu_seconds: float = 0.0


class Run(msgspec.Struct):
    """What we read of a run."""

    id: str


def rage(storm: Storm) -> Answers:
    """Have it done by a process of its own."""
    argv = [sys.executable, "-m", "tests.chaos.measures.storm"]
    done = subprocess.run(argv, input=msgspec.json.encode(storm), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Answers)


class Client:
    """Sends, and notes what comes back."""

    def __init__(self, storm: Storm) -> None:
        self._connections = Connections(storm.url, storm.key, "{}")
        self.answers = Answers()

    async def steady(self, rate: float, seconds: float) -> None:
        """Send at a rate, whatever comes back."""
        begun = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(due - time.monotonic())
            self.answers.late.append(time.monotonic() - due)
            task = asyncio.create_task(self._ask())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=PATIENCE)
            self.answers.unanswered += len(left)

    async def by_turns(self, clients: int, seconds: float) -> None:
        """So many at a time, each again as soon as it is answered."""
        end = time.monotonic() + seconds

        async def client() -> None:
            while time.monotonic() < end:
                await self._ask()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def _ask(self) -> None:
        begun = time.monotonic()
        try:
            status, body = await self._connections.ask(await self._connections.ready())
        except OSError:
            self.answers.unanswered += 1
            return
        self.answers.answered.append((status, time.monotonic() - begun))
        if status == 202:
            self.answers.accepted.append(msgspec.json.decode(body, type=Run).id)


async def main() -> None:
    storm = msgspec.json.decode(sys.stdin.buffer.read(), type=Storm)
    client = Client(storm)
    if storm.rate:
        await client.steady(storm.rate, storm.seconds)
    else:
        await client.by_turns(storm.clients, storm.seconds)
    client.answers.cpu_seconds = cpu.of(os.getpid()).total
    sys.stdout.buffer.write(msgspec.json.encode(client.answers))


if __name__ == "__main__":
    asyncio.run(main())
