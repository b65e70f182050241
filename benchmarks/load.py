"""Sends requests at a fixed rate, whether the answers come in time or not, and notes when each was accepted.

`python -m benchmarks.load` reads a `Load` as JSON and prints a `Sent` as JSON. It is a process of its own on bare
sockets with keep-alive, so that it costs little beside what it measures; its own CPU time is told, too.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections import deque
from urllib.parse import urlsplit

import msgspec

from benchmarks import cpu

MOST_CONNECTIONS = 64


class Load(msgspec.Struct):
    """What to send."""

    url: str
    key: str
    body: str
    rate: float
    """Requests per second."""
    seconds: float


class Request(msgspec.Struct, array_like=True):
    """One request; times are seconds since 1970."""

    scheduled: float
    sent: float
    accepted: float
    """When the whole answer had been read."""
    answer: str


class Sent(msgspec.Struct):
    """What became of it."""

    requests: list[Request]
    cpu_seconds: float
    connections: int


def send(load: Load) -> Sent:
    """Have it sent by a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(argv, input=msgspec.json.encode(load), stdout=subprocess.PIPE, check=True)  # noqa: S603
    return msgspec.json.decode(done.stdout, type=Sent)


class Connection(asyncio.Protocol):
    """One keep-alive connection, with at most one request on its way."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def request(self, message: bytes) -> "asyncio.Future[bytes]":
        self.received = b""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            assert self.answer
            self.answer.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError("the server has hung up"))


class Connections:
    """Ask one thing of one server again and again, each time over a connection that is free just then, or a new one."""

    def __init__(self, url: str, key: str, body: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Api-Key {key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._message = (head + body).encode()
        # The one longest unused goes first: the server hangs up on those that are not used for some seconds.
        self._free: deque[Connection] = deque()
        self.opened = 0

    async def ready(self) -> Connection:
        """One that is free and still open, or a new one."""
        while self._free:
            connection = self._free.popleft()
            if not connection.transport.is_closing():
                return connection
        self.opened += 1
        _, connection = await asyncio.get_running_loop().create_connection(Connection, *self._address)
        return connection

    async def ask(self, connection: Connection) -> tuple[int, bytes]:
        """The answer's status and body. Raises `ConnectionError` where the server hangs up instead."""
        body = await connection.request(self._message)
        self._free.append(connection)
        return int(connection.received[9:12]), body


class Sender:
    """Keeps to the schedule; a request waits only where all connections are in use, and that counts as its delay."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)
        self.connections = Connections(load.url, load.key, load.body)
        self.requests: list[Request] = []

    async def run(self) -> None:
        begun = time.time() + 0.1
        async with asyncio.TaskGroup() as group:
            for number in range(round(self._load.rate * self._load.seconds)):
                scheduled = begun + number / self._load.rate
                await asyncio.sleep(scheduled - time.time())
                group.create_task(self._send(scheduled))

    async def _send(self, scheduled: float) -> None:
        async with self._places:
            connection = await self.connections.ready()
            sent = time.time()
            _, answer = await self.connections.ask(connection)
            self.requests.append(Request(scheduled, sent, time.time(), answer.decode()))


async def main() -> None:
    sender = Sender(msgspec.json.decode(sys.stdin.buffer.read(), type=Load))
    before = cpu.of(os.getpid())
    await sender.run()
    used = (cpu.of(os.getpid()) - before).total
    sys.stdout.buffer.write(msgspec.json.encode(Sent(sender.requests, used, sender.connections.opened)))


if __name__ == "__main__":
    asyncio.run(main())
