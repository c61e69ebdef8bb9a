"""Kite's WebSocket: subscriptions, modes, binary frames, order updates as text, heartbeats."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable

from aiohttp import WSMsgType, web

from brokers.kite.wire import (
    FULL,
    HEARTBEAT,
    QUOTE,
    SetMode,
    Subscribe,
    Tick,
    WireError,
    decode_request,
    encode_frame,
    encode_message,
    encode_packet,
)
from sandbox.faults import FaultPlan
from sandbox.kite.contracts import ContractList, Listed
from sandbox.kite.crowd import Crowd
from sandbox.kite.settings import KiteSettings
from sandbox.stream import Outlet, Payload

PRICE, ORDER, TEXT, HEART = "price", "order", "text", "heartbeat"
"""Sorts of messages, as fault plans name them."""


class Connection:
    """One client's stream.

    Attributes
    ----------
    user, token : whose it is. modes : mode by instrument token.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        user: str,
        token: str,
        plan: FaultPlan,
        now: Callable[[], int],
    ) -> None:
        self.user = user
        self.token = token
        self.modes: dict[int, str] = {}
        self._socket = socket
        self._request = request
        self._pings = itertools.count(1)
        self._awaited: dict[bytes, asyncio.Event] = {}
        self.outlet = Outlet(self._send, self.cut, plan, now)

    async def _send(self, payload: Payload) -> None:
        if self._socket.closed:
            return
        try:
            if isinstance(payload, bytes):
                await self._socket.send_bytes(payload)
            else:
                await self._socket.send_str(payload)
        except (ConnectionError, RuntimeError):
            self.cut()

    def cut(self) -> None:
        """Break the connection without a word."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()
        self.let_go()

    def let_go(self) -> None:
        """Nothing is awaited from it any more."""
        for event in self._awaited.values():
            event.set()
        self._awaited.clear()

    async def delivered(self) -> None:
        """Return when the client has taken all that was sent: it answers a ping behind it."""
        if self.outlet.is_mute or self._socket.closed or self._request.transport is None:
            return
        word = str(next(self._pings)).encode()
        event = self._awaited[word] = asyncio.Event()
        try:
            await self._socket.ping(word)
        except (ConnectionError, RuntimeError):
            self.let_go()
        await event.wait()

    def ponged(self, word: bytes) -> None:
        """The client has answered a ping."""
        event = self._awaited.pop(word, None)
        if event is not None:
            event.set()


class Stream:
    """All connections of Kite's stream.

    Parameters
    ----------
    tick : returns the packet of an instrument in a mode, None before its first price.
    """

    def __init__(
        self,
        contracts: ContractList,
        crowd: Crowd,
        settings: KiteSettings,
        plan: FaultPlan,
        tick: Callable[[Listed, str], Tick | None],
        now: Callable[[], int],
    ) -> None:
        self._crowd = crowd
        self._contracts = contracts
        self._settings = settings
        self._plan = plan
        self._tick = tick
        self._now = now
        self.connections: list[Connection] = []

    async def serve(self, request: web.Request, user: str, token: str) -> web.StreamResponse:
        """Serve one client until it goes."""
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=1 << 20)
        await socket.prepare(request)
        link = Connection(socket, request, user, token, self._plan, self._now)
        self.connections.append(link)
        heart = asyncio.create_task(self._beat(link))
        try:
            async for message in socket:
                if link.outlet.is_mute:
                    continue
                if message.type is WSMsgType.TEXT:
                    await self._obey(link, message.data)
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    link.ponged(bytes(message.data))
        finally:
            heart.cancel()
            link.outlet.close()
            link.let_go()
            self.connections.remove(link)
        return socket

    async def _beat(self, link: Connection) -> None:
        while True:
            await link.outlet.put(HEART, HEARTBEAT)
            await asyncio.sleep(self._settings.heartbeat_secs)

    async def _obey(self, link: Connection, text: str) -> None:
        """Do what a client's message asks for."""
        try:
            asked = decode_request(text)
        except WireError as fault:
            await link.outlet.put(TEXT, encode_message("error", str(fault)))
            return
        known = [token for token in asked.tokens if self._is_known(token)]
        if isinstance(asked, Subscribe):
            if len(link.modes.keys() | set(known)) > self._settings.max_tokens:
                await link.outlet.put(TEXT, encode_message("error", "Too many instruments."))
                return
            for token in known:
                link.modes.setdefault(token, QUOTE)
        elif isinstance(asked, SetMode):
            known = [token for token in known if token in link.modes]
            link.modes.update(dict.fromkeys(known, asked.mode))
        else:
            for token in known:
                link.modes.pop(token, None)
            return
        if self._settings.sends_snapshot:
            await self._send(link, known, {})

    def _is_known(self, token: int) -> bool:
        return token in self._crowd or self._contracts.by_token(token) is not None

    async def publish_crowd(self) -> None:
        """Let the crowd trade once; send it to those who asked for it."""
        self._crowd.move()
        made: dict[tuple[int, str], bytes | None] = {}
        for link in list(self.connections):
            wanted = {token: mode for token, mode in link.modes.items() if token in self._crowd}
            full = [token for token, mode in wanted.items() if mode == FULL]
            await self._send(link, [token for token in wanted if wanted[token] != FULL], made)
            if full:
                await link.outlet.put(PRICE, self._crowd.full_frame(full, self._now()))

    async def publish(self, symbols: Iterable[str]) -> None:
        """Send what has moved to those who asked for it, all of it in one frame."""
        moved = set(symbols)
        made: dict[tuple[int, str], bytes | None] = {}
        for link in list(self.connections):
            tokens = [token for token in link.modes if self._symbol(token) in moved]
            await self._send(link, tokens, made)

    def _symbol(self, token: int) -> str | None:
        listed = self._contracts.by_token(token)
        return None if listed is None else listed.symbol

    async def _send(
        self, link: Connection, tokens: Iterable[int], made: dict[tuple[int, str], bytes | None]
    ) -> None:
        packets = []
        for token in tokens:
            key = token, link.modes[token]
            if key not in made:
                made[key] = self._packet(*key)
            packet = made[key]
            if packet is not None:
                packets.append(packet)
        if packets:
            await link.outlet.put(PRICE, encode_frame(packets))

    def _packet(self, token: int, mode: str) -> bytes | None:
        if token in self._crowd:
            return encode_packet(self._crowd.tick(token, mode, self._now()))
        listed = self._contracts.by_token(token)
        tick = None if listed is None else self._tick(listed, mode)
        return None if tick is None else encode_packet(tick)

    async def tell(self, user: str, sort: str, text: str) -> None:
        """Send a text message to all connections of a user."""
        for link in list(self.connections):
            if link.user == user:
                await link.outlet.put(sort, text)

    async def delivered(self) -> None:
        """Return when every connection that stands has taken what was sent."""
        for link in list(self.connections):
            await link.delivered()

    def drop(self, keeps: Callable[[Connection], bool]) -> None:
        """Cut the connections that may not go on."""
        for link in [link for link in self.connections if not keeps(link)]:
            link.cut()
