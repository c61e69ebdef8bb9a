"""One face's HTTP and WebSocket server, and what the fault plan does to its requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate

from aiohttp import web

from core.errors import ConfigError
from sandbox.face import Face, Route
from sandbox.faults import REQUEST, Fault, FaultPlan, Kind
from sandbox.ledger import Ledger
from sandbox.limits import RequestCounts

HIGHEST_PORT = 65_535
_POLL_SECS = 0.02
_MEGABYTES = 16 * 1024 * 1024


class Server:
    """Listens for one face.

    Parameters
    ----------
    control : the sandbox's own routes, outside the venue's paths, never counted or struck.
    now : market time, ns UTC. skew_secs : how far ahead of ours the clock is that dates answers.
    """

    def __init__(
        self,
        face: Face,
        plan: FaultPlan,
        ledger: Ledger,
        control: Sequence[Route],
        now: Callable[[], int],
        skew_secs: Callable[[], float],
    ) -> None:
        self.face = face
        self.counts = RequestCounts(face.windows)
        self._plan = plan
        self._ledger = ledger
        self._now = now
        self._skew_secs = skew_secs
        self._runner: web.AppRunner | None = None
        self._closing = False
        app = web.Application(client_max_size=_MEGABYTES)
        for route in control:
            app.router.add_route(route.method, route.path, route.handler)
        for route in face.routes():
            app.router.add_route(route.method, route.path, self._guarded(route))
        self._app = app

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port (a free one where 0 was asked for).

        Raises
        ------
        ConfigError : the port is in use, or the address is not this machine's.
        """
        if not 0 <= port <= HIGHEST_PORT:
            raise ConfigError(f"port={port}: expected 0 to {HIGHEST_PORT}")
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as cause:
            await self._runner.cleanup()
            raise ConfigError(
                f"{self.face.venue}: cannot listen on {host}:{port} ({cause.strerror or cause}); "
                "end what uses the port, or give another with --port (or --host)"
            ) from cause
        sockets = self._runner.addresses
        return int(sockets[0][1])

    async def stop(self) -> None:
        """Close all connections."""
        self._closing = True
        self.face.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _guarded(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a route's handler behind limits and faults, its requests written down."""

        async def handle(request: web.Request) -> web.StreamResponse:
            came, ts, account = time.time(), self._now(), self.face.account_of(request)
            detail = await self.face.detail_of(route, request)
            fault = self._plan.strike(REQUEST, route.name, ts, detail)
            name = "" if fault is None else fault.kind.value
            try:
                full = self.counts.take(account, route.limit) if route.limit else None
                if full is not None:
                    answer: web.StreamResponse = self.face.limit_answer(full)
                else:
                    answer = await self._carry_out(request, route, fault)
            except asyncio.CancelledError:
                self._ledger.request(came, ts, account, route.name, 0, name)
                raise
            self._ledger.request(came, ts, account, route.name, answer.status, name)
            if not answer.prepared:
                answer.headers["Date"] = formatdate(time.time() + self._skew_secs(), usegmt=True)
            return answer

        return handle

    async def _carry_out(
        self, request: web.Request, route: Route, fault: Fault | None
    ) -> web.StreamResponse:
        if fault is None:
            return await self._answer(request, route)
        match fault.kind:
            case Kind.LOSE:
                await self._stay_silent(request)
            case Kind.STATUS:
                if fault.handled:
                    await self._answer(request, route)
                return self.face.fault_answer(fault)
            case Kind.SLOW:
                answer = await self._answer(request, route)
                await asyncio.sleep(fault.secs)
                return answer
            case Kind.NO_ANSWER:
                await self._answer(request, route)
                await self._stay_silent(request)
        return await self._cut_short(request, await self._answer(request, route), fault.size)

    async def _answer(self, request: web.Request, route: Route) -> web.StreamResponse:
        answer = await route.handler(request)
        await self.face.flush()
        return answer

    async def _stay_silent(self, request: web.Request) -> None:
        """Never answer: wait until the client gives up."""
        while not self._closing and request.transport and not request.transport.is_closing():
            await asyncio.sleep(_POLL_SECS)
        raise asyncio.CancelledError

    async def _cut_short(
        self, request: web.Request, answer: web.StreamResponse, size: int
    ) -> web.StreamResponse:
        """Send the head of an answer and its first bytes, then break the connection."""
        body = getattr(answer, "body", None) or b""
        short = web.StreamResponse(status=answer.status)
        short.content_type = answer.content_type
        short.content_length = len(body)
        await short.prepare(request)
        await short.write(bytes(body)[:size])
        if request.transport is not None:
            request.transport.abort() if hasattr(request.transport, "abort") else None
        return short
