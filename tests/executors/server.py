"""A real HTTP server on this host, which answers as its paths say."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from aiohttp import web


class Server:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.connections: set[object] = set()
        self.busy = 0
        self._tls = tls
        self._app = web.Application()
        self._app.router.add_route("*", "/{kind}/{argument}", self._answer)
        self._runner = web.AppRunner(self._app, shutdown_timeout=0.1, handler_cancellation=True)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()

    async def close(self) -> None:
        await self._runner.cleanup()

    def url(self, path: str) -> str:
        scheme = "https" if self._tls else "http"
        port = self._runner.addresses[0][1]
        return f"{scheme}://127.0.0.1:{port}/{path}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        self.connections.add(request.transport)
        self.busy += 1
        try:
            return await getattr(self, f"_{request.match_info['kind']}")(request, request.match_info["argument"])
        finally:
            self.busy -= 1

    async def _status(self, request: web.Request, status: str) -> web.StreamResponse:
        return web.Response(status=int(status), text="as you wish\n")

    async def _text(self, request: web.Request, text: str) -> web.StreamResponse:
        return web.Response(text=text)

    async def _json(self, request: web.Request, size: str) -> web.StreamResponse:
        return web.json_response({"text": "x" * int(size)})

    async def _badjson(self, request: web.Request, text: str) -> web.StreamResponse:
        return web.Response(text=text, content_type="application/json")

    async def _redirect(self, request: web.Request, times: str) -> web.StreamResponse:
        left = int(times)
        raise web.HTTPFound(f"/redirect/{left - 1}?token=s3cret" if left > 1 else "/text/arrived?token=s3cret")

    async def _hang(self, request: web.Request, where: str) -> web.StreamResponse:
        response = web.StreamResponse()
        if where == "body":
            await response.prepare(request)
            await response.write(b"first part\n")
        await asyncio.Event().wait()
        return response

    async def _endless(self, request: web.Request, letter: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(letter.encode() * 65_536)
        return response

    async def _broken(self, request: web.Request, where: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        if where == "body":
            await response.prepare(request)
            await response.write(b"only this")
        assert request.transport
        request.transport.close()
        return response
