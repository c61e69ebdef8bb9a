"""What leaves a server on one stream connection, and what the fault plan does to it on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sandbox.faults import STREAM, Fault, FaultPlan, Kind

Payload = bytes | str


class Outlet:
    """The sending side of a connection.

    Parameters
    ----------
    send : puts a message on the wire. cut : breaks the connection without a word.
    plan : what goes wrong. now : market time, ns UTC.

    Attributes
    ----------
    is_mute : half open: the connection stands and nothing leaves it any more.
    sent : messages that left.
    """

    def __init__(
        self,
        send: Callable[[Payload], Awaitable[None]],
        cut: Callable[[], None],
        plan: FaultPlan,
        now: Callable[[], int],
    ) -> None:
        self._send = send
        self._cut = cut
        self._plan = plan
        self._now = now
        self._held: list[tuple[int, Payload]] = []
        self._late: set[asyncio.Task[None]] = set()
        self.is_mute = False
        self.sent = 0

    async def put(self, sort: str, payload: Payload) -> None:
        """Send a message of a sort (price, order, text, heartbeat), or what a fault makes of it."""
        if self.is_mute:
            return
        fault = self._plan.strike(STREAM, sort, self._now())
        if fault is None:
            await self._leave(payload)
        else:
            await self._suffer(fault, payload)

    async def _suffer(self, fault: Fault, payload: Payload) -> None:
        match fault.kind:
            case Kind.DUPLICATE:
                await self._leave(payload)
                await self._leave(payload)
            case Kind.TRUNCATE:
                await self._leave(payload[: fault.size])
            case Kind.REORDER:
                self._held.append((self.sent + 1, payload))
            case Kind.DELAY if fault.messages:
                self._held.append((self.sent + fault.messages, payload))
            case Kind.DELAY:
                task = asyncio.create_task(self._leave_later(fault.secs, payload))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            case Kind.HALF_OPEN:
                self.is_mute = True
            case Kind.CUT:
                self._cut()

    async def _leave(self, payload: Payload) -> None:
        """Put a message on the wire, and those behind it that were held back long enough."""
        self.sent += 1
        await self._send(payload)
        due = [held for until, held in self._held if until <= self.sent]
        self._held = [item for item in self._held if item[0] > self.sent]
        for held in due:
            self.sent += 1
            await self._send(held)

    async def _leave_later(self, secs: float, payload: Payload) -> None:
        await asyncio.sleep(secs)
        if not self.is_mute:
            await self._leave(payload)

    def close(self) -> None:
        """Forget what was held back."""
        self._held.clear()
        for task in self._late:
            task.cancel()
