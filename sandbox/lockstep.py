"""Lock-step: the market goes on when every session has done all that the last packet asked for.

A session joins over the control route, is told the number of each packet once it has reached it,
and says when it is done with it. A packet that a fault swallowed has reached nobody and asks for
nothing; a session says so at once, as its inbox is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from core.errors import TolaError


class LockStepError(TolaError):
    """A session did not come to rest in time; the message names the packet."""


class LockStep:
    """Keeps sessions and market together.

    Parameters
    ----------
    timeout_secs : longest wait for a session to be done with one packet.
    """

    def __init__(self, timeout_secs: float = 30.0) -> None:
        self.timeout_secs = timeout_secs
        self._done: dict[str, int] = {}
        self._packet = 0
        self._is_over = False
        self._turn = asyncio.Condition()

    @property
    def sessions(self) -> list[str]:
        """Those that take part."""
        return list(self._done)

    async def wait_for_session(self) -> None:
        """Return when some session has joined."""
        async with self._turn:
            await self._turn.wait_for(lambda: bool(self._done))

    async def step(self, session: str, done: int | None) -> int | None:
        """Take a session's word that it is done with a packet; return the next, None at the end.

        done : None: it joins, or comes back: the packet in force is told again.
        """
        async with self._turn:
            self._done[session] = max(self._packet - 1, 0) if done is None else done
            self._turn.notify_all()
            seen = self._done[session]
            await self._turn.wait_for(
                lambda: self._packet > seen or self._is_over or session not in self._done
            )
            return self._packet if self._packet > seen else None

    async def leave(self, session: str) -> None:
        """A session takes no part any more."""
        async with self._turn:
            self._done.pop(session, None)
            self._turn.notify_all()

    async def wait(self, packet: int, label: str, delivered: Awaitable[None]) -> None:
        """Announce a packet once it was delivered; return when all sessions are done with it.

        Raises
        ------
        LockStepError : a stream did not take it, or a session was not done, in time.
        """
        try:
            await asyncio.wait_for(delivered, self.timeout_secs)
        except TimeoutError:
            raise LockStepError(
                f"lock-step: packet {packet} ({label}) was not taken by a stream within "
                f"{self.timeout_secs:g} s: its client has not answered a ping"
            ) from None
        async with self._turn:
            self._packet = packet
            self._turn.notify_all()
            try:
                await asyncio.wait_for(
                    self._turn.wait_for(lambda: not self._late()), self.timeout_secs
                )
            except TimeoutError:
                late = ", ".join(repr(name) for name in self._late())
                raise LockStepError(
                    f"lock-step: packet {packet} ({label}) is not done with after "
                    f"{self.timeout_secs:g} s by session {late}"
                ) from None

    def _late(self) -> list[str]:
        return [name for name, done in self._done.items() if done < self._packet]

    async def end(self) -> None:
        """There is no further packet."""
        async with self._turn:
            self._is_over = True
            self._turn.notify_all()
