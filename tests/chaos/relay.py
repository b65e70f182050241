"""The network between two processes, as far as TCP over loopback shows it: cut, one-way, half-open, slow.

Each of our processes reaches each server through a relay of its own. A *cut* holds back what is sent, as a network
does whose packets are sent again until they arrive; a *half-open* connection swallows all for ever and is never closed.
"""

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 65536
UP, DOWN = "up", "down"
"""To the server, and back."""


@dataclass(eq=False)
class Link:
    """One connection through a relay."""

    writers: list[asyncio.StreamWriter]
    dead: bool = False
    """It swallows everything."""

    def reset(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@dataclass(eq=False)
class Relay:
    """A port of its own that leads to `host:port`. All methods may be called from any thread."""

    loop: asyncio.AbstractEventLoop
    host: str
    port: int
    own_port: int = 0
    delay: float = 0.0
    """Seconds by which every chunk is late, each way."""
    links: set[Link] = field(default_factory=set)
    _open: dict[str, asyncio.Event] = field(default_factory=dict)

    async def start(self) -> None:
        self._open = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        self._let(UP, DOWN)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.own_port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Take no more, and break what there is; in the loop's own thread."""
        self._server.close()
        for link in list(self.links):
            link.reset()

    def cut(self, *directions: str) -> None:
        """Hold back what goes in these directions (both, unless named), until healed."""
        for direction in directions or (UP, DOWN):
            self.loop.call_soon_threadsafe(self._open[direction].clear)

    def half_open(self) -> None:
        """Connections that exist are dead from now on, and neither side is told; new ones are well."""
        self.loop.call_soon_threadsafe(lambda: [setattr(link, "dead", True) for link in self.links])

    def reset(self) -> None:
        """Break all connections."""
        self.loop.call_soon_threadsafe(lambda: [link.reset() for link in list(self.links)])

    def heal(self) -> None:
        """Let everything through again, without delay."""
        self.delay = 0.0
        self.loop.call_soon_threadsafe(self._let, UP, DOWN)

    def _let(self, *directions: str) -> None:
        for direction in directions:
            self._open[direction].set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open[UP].wait()
            back, forth = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.transport.abort()
            return
        link = Link([writer, forth])
        self.links.add(link)
        try:
            await asyncio.gather(self._pump(link, UP, reader, forth), self._pump(link, DOWN, back, writer))
        finally:
            self.links.discard(link)

    async def _pump(
        self, link: Link, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._open[direction].wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not link.dead:
                    writer.write(chunk)
                    await writer.drain()
        if not link.dead:
            await self._open[direction].wait()
            link.reset()


class Network:
    """All relays, on a thread of their own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.relays: dict[tuple[str, str], Relay] = {}
        self._thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def way(self, member: str, server: str, url: str) -> str:
        """`url`, as `member` reaches that server: through a relay."""
        parts = urlsplit(url)
        relay = self.relays.get((member, server))
        if relay is None:
            relay = self.relays[member, server] = Relay(self.loop, parts.hostname or "", parts.port or 0)
            asyncio.run_coroutine_threadsafe(relay.start(), self.loop).result(10)
        return url.replace(f":{parts.port}", f":{relay.own_port}")

    def of(self, server: str) -> list[Relay]:
        return [relay for (_, name), relay in self.relays.items() if name == server]

    def between(self, member: str, server: str) -> Relay:
        return self.relays[member, server]

    def heal(self) -> None:
        for relay in self.relays.values():
            relay.heal()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _end(self) -> None:
        """Break all connections, and wait until whoever carried them has ended."""
        self.heal()
        for relay in self.relays.values():
            relay.stop()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=5)
