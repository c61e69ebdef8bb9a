"""Thousands of Kite's shares that tick at the pace they are told.

python -m sandbox.bench.kite_crowd '{"count": 3000}'
"""

from __future__ import annotations

import asyncio
import time
from datetime import date
from typing import Any

from sandbox.bench.lines import keep_to_core, serve, sizes
from sandbox.box import Sandbox
from sandbox.course import generated
from sandbox.kite import KiteSettings

_NS = 1_000_000_000
_DAY = date(2024, 9, 4)
_LATEST_SECS = 2.0
"""A client that is so far behind cannot follow: the run ends."""


class Market:
    """The crowd and its pace.

    Parameters
    ----------
    count : shares.
    """

    def __init__(self, count: int) -> None:
        settings = KiteSettings(tokens_end=None, crowd=count)
        self.box = Sandbox("kite", generated("NIFTY-FUT", _DAY, _DAY, 1), settings=settings).start()
        self._face: Any = self.box.face
        self._began = time.time()
        self._opened = self.box.now

    def about(self) -> dict[str, Any]:
        """Return where it is, and its shares as (token, tradingsymbol)."""
        box, face = self.box, self._face
        return {
            "options": dict(face.port_options(box.url, box.stream_url)),
            "credentials": dict(face.credentials(box.login())),
            "now": self._opened,
            "shares": [(row.instrument_token, row.tradingsymbol) for row in face.crowd.rows],
        }

    def tick(self, per_second: float, seconds: float) -> dict[str, Any]:
        """Let all shares trade so often; return when each time was due, seconds of the epoch."""
        return {"due": self.box.run(self._tick(per_second, round(per_second * seconds)))}

    async def _tick(self, per_second: float, times: int) -> list[float]:
        first, due = time.time() + 0.01, []
        for number in range(times):
            at = first + number / per_second
            late = time.time() - at
            if late > _LATEST_SECS:
                break
            await asyncio.sleep(max(0.0, -late))
            self.box.exchange.now = self._opened + round((at - self._began) * _NS)
            await self._face.tick_crowd()
            due.append(at)
        return due


def main() -> None:
    """Serve until the input ends."""
    asked = sizes()
    keep_to_core(0)
    market = Market(int(asked.get("count", 3000)))
    serve(market.about(), {"tick": market.tick})
    market.box.stop()


if __name__ == "__main__":
    main()
