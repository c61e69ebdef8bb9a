"""NIFTY's future at Kite, packet by packet: when each left the socket, when each request came.

python -m sandbox.bench.kite_future '{"cash": 10000000}'
"""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from sandbox.account import AccountTerms
from sandbox.bench.lines import serve, sizes
from sandbox.box import Sandbox
from sandbox.course import generated, replayed
from sandbox.kite import KiteSettings
from sandbox.kite.stream import Connection
from sandbox.stream import Payload

_FIRST, _LAST = date(2024, 9, 3), date(2024, 9, 6)
_HEARTBEAT_BYTES = 1


class _NotedConnection(Connection):
    """A connection that notes when the last frame of prices left."""

    left_at = 0.0

    async def _send(self, payload: Payload) -> None:
        if isinstance(payload, bytes) and len(payload) > _HEARTBEAT_BYTES:
            _NotedConnection.left_at = time.time()
        await super()._send(payload)


class Market:
    """Generated minutes, told as trades; nothing moves unless it is told to.

    Parameters
    ----------
    cash : of the account, rupees.
    """

    def __init__(self, cash: float) -> None:
        from sandbox.kite import stream

        stream.Connection = _NotedConnection  # type: ignore[misc]
        prices = replayed(generated("NIFTY-FUT", _FIRST, _LAST, 1).series, ticks="trades")
        self.box = Sandbox(
            "kite", prices, accounts={"XX0000": AccountTerms(cash)},
            settings=KiteSettings(tokens_end=None),
        ).start()  # fmt: skip

    def about(self) -> dict[str, Any]:
        """Return where it is."""
        box, face = self.box, self.box.face
        return {
            "options": dict(face.port_options(box.url, box.stream_url)),
            "credentials": dict(face.credentials(box.login())),
            "now": box.now,
        }

    def play(self, packets: int) -> dict[str, Any]:
        """Let some packets go out; return the market's time, and when the last one left."""
        self.box.play(packets)
        return {"now": self.box.now, "left_at": _NotedConnection.left_at}

    def requests(self) -> dict[str, Any]:
        """Return the requests that came, and how they were counted against the limits."""
        rows, counts = self.box.ledger.rows("requests"), self.box.server.counts
        windows = self.box.face.windows.values()
        return {
            "requests": [(row["wall"], row["endpoint"], row["status"]) for row in rows],
            "refused": counts.refused,
            "highest": {name: most for (_, name), most in counts.highest.items()},
            "limits": {item.name: item.count for some in windows for item in some},
        }


def main() -> None:
    """Serve until the input ends."""
    asked = sizes()
    market = Market(float(asked.get("cash", 1e7)))
    serve(market.about(), {"play": market.play, "requests": market.requests})
    market.box.stop()


if __name__ == "__main__":
    main()
