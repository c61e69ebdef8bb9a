"""Everything asked of Kite at once, under the venue's own limits, as the sandbox counts them.

python -m live.bench.kite_burst '{"orders": 100, "histories": 100, "quotes": 30, "snapshots": 18}'
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.port import OrderChangeRequest, VenueOrder
from core.events import Answer, Event, HistoryBars, Link, LinkState, Outcome, Snapshot
from core.orders import OrderKind, Role, Side, TimeInForce
from core.zones import NS_PER_DAY, NS_PER_MINUTE
from live.bench.job import serve
from live.bench.market import Market

_SYMBOL, _LOT = "NIFTY-FUT", 25.0
_CALLS_A_SNAPSHOT = 4
_PATIENCE_SECS = 180.0


def measure(
    orders: int = 100, histories: int = 100, quotes: int = 30, snapshots: int = 18
) -> dict[str, Any]:
    """Ask everything at once; tell how long it took and what the venue counted.

    Parameters
    ----------
    orders : each is placed, changed once and cancelled.
    snapshots : of account, orders, fills and positions; four calls each.
    """
    with Market("kite_future", {}) as market:
        client = _Client(market)
        try:
            price = client.begin()
            began = time.perf_counter()
            client.ask(orders, histories, quotes, snapshots, price)
            client.wait(3 * orders, histories, quotes, snapshots)
            seconds = time.perf_counter() - began
        finally:
            client.store.disconnect()
        told = market.ask("requests")
    came = [endpoint for _, endpoint, _ in told["requests"]]
    last_order = len(came) - came[::-1].index("orders.place")
    return {
        "calls": 3 * orders + histories + quotes + _CALLS_A_SNAPSHOT * snapshots,
        "seconds": seconds,
        "requests": len(came),
        "refused": told["refused"],
        "highest": told["highest"],
        "limits": told["limits"],
        "not_accepted": client.not_accepted,
        "overtaken": came[last_order:].count("historical"),
        "histories": histories,
    }


class _Client:
    """A store, and the count of what it has answered."""

    def __init__(self, market: Market) -> None:
        about = market.about
        self._market = market
        self._now = int(about["now"])
        keys = KiteKeys(about["credentials"]["api_key"], about["credentials"]["access_token"])
        roots = {name: about["options"][name] for name in ("api_root", "stream_root")}
        self.store = KiteStore(
            KiteConfig(**roots), lambda: keys, self._hear, [_SYMBOL], clock=lambda: self._now
        )
        self._changed = threading.Condition()
        self._links = self._answers = self._histories = self._snapshots = self._quotes = 0
        self._faults: list[str] = []
        self.not_accepted = 0

    def begin(self) -> float:
        """Connect; return the last price."""
        self.store.connect()
        self._until(lambda: self._links > 0)
        self._now = int(self._market.ask("play", packets=1)["now"])
        name = f"NFO:{self.store.contract(_SYMBOL).venue_symbol}"
        price = self.store.client.get_quote(name)[name].last_price
        time.sleep(1.1)  # what was asked so far is in no window any more
        return float(price)

    def ask(self, orders: int, histories: int, quotes: int, snapshots: int, price: float) -> None:
        """Ask for past bars, then for all else; nothing waits for an answer."""
        store, numbers = self.store, itertools.count(1)
        for _ in range(histories):
            end = self._now - self._now % NS_PER_MINUTE
            store.request_history(next(numbers), _SYMBOL, NS_PER_MINUTE, end - NS_PER_DAY, end)
        for _ in range(snapshots):
            store.request_snapshot(next(numbers), self._now)
        threading.Thread(target=self._ask_quotes, args=(quotes,), daemon=True).start()
        ids = [f"burst-{number}" for number in range(orders)]
        low = round(0.95 * price)
        for order_id in ids:
            store.submit(next(numbers), _limit_order(order_id, low))
        for order_id in ids:
            store.modify(next(numbers), OrderChangeRequest(order_id, "", price=low + 1.0))
        for order_id in ids:
            store.cancel(next(numbers), order_id, "")

    def wait(self, answers: int, histories: int, quotes: int, snapshots: int) -> None:
        """Wait until all is answered."""
        wanted = (answers, histories, quotes, snapshots)
        self._until(
            lambda: (self._answers, self._histories, self._quotes, self._snapshots) == wanted
        )
        if self._faults:
            raise RuntimeError(self._faults[0])

    def _ask_quotes(self, count: int) -> None:
        for _ in range(count):
            self.store.client.get_quote("NSE:NIFTY 50")
            with self._changed:
                self._quotes += 1
                self._changed.notify_all()

    def _hear(self, event: Event) -> None:
        with self._changed:
            if isinstance(event, Link):
                self._links += event.state is LinkState.CONNECTED
            elif isinstance(event, Answer):
                self._answers += 1
                self.not_accepted += event.outcome is not Outcome.ACCEPTED
            elif isinstance(event, HistoryBars):
                self._histories += event.is_last
            elif isinstance(event, Snapshot):
                self._snapshots += 1
            if isinstance(event, HistoryBars | Snapshot) and event.error:
                self._faults.append(event.error)
            self._changed.notify_all()

    def _until(self, is_so: Any) -> None:
        with self._changed:
            if not self._changed.wait_for(is_so, _PATIENCE_SECS):
                raise RuntimeError("the answers did not come")


def _limit_order(order_id: str, price: float) -> VenueOrder:
    return VenueOrder(
        order_id, "bench", _SYMBOL, Side.BUY, _LOT, OrderKind.LIMIT, Role.ENTRY, price,
        time_in_force=TimeInForce.DAY,
    )  # fmt: skip


if __name__ == "__main__":
    serve(measure)
