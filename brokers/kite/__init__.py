"""Zerodha Kite Connect v3 through its official SDK: futures and index of NSE, gold of MCX.

`wire` reads and writes what Kite documents and knows nothing else. `KiteStore` holds the one
connection of an account and stands behind the venue port; feed and broker are the shared ones, for
nothing of them differs here. The SDK is imported where it is used, so tables and settings come
without it.
"""

from __future__ import annotations

from brokers.port import Brackets, Capabilities, HistoryLimit, PositionMode, TickSource
from core.orders import OrderKind, Role, TimeInForce

__all__ = ["kite_capabilities"]

_DAY_SECS = 86_400.0
_HISTORY_DAYS = {60: 60, 180: 100, 300: 100, 600: 100, 900: 200, 1800: 200, 3600: 400, 86_400: 2000}
"""Most days a request for candles may span, by seconds of a candle (docs, historical)."""


def kite_capabilities(product: str = "NRML", protection: str = "orders") -> Capabilities:
    """Return what an account at Kite can do.

    Parameters
    ----------
    product : what orders are sent as: NRML, MIS or CNC.
    protection : orders: we keep brackets; gtt: the venue keeps two prices of a position.

    Notes
    -----
    Of itself it keeps no brackets for futures: a trigger (GTT) is looked at while the market moves
    on, and places a LIMIT order. Its stream tells that an order changed, not its fills: the store
    asks for them then, and looks at the order book by itself besides.
    """
    as_prices = protection == "gtt"
    products = (product, *(name for name in ("NRML", "MIS", "CNC") if name != product))
    return Capabilities(
        venue="kite",
        order_kinds=frozenset(
            {OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT}
        ),
        times_in_force=frozenset({TimeInForce.DAY, TimeInForce.IOC}),
        products=products,
        brackets=Brackets.ON_POSITION if as_prices else Brackets.NONE,
        bracket_roles=frozenset({Role.STOP, Role.TARGET}) if as_prices else frozenset(),
        one_cancels_other=as_prices,
        cancels_children_of_flat=as_prices,
        prices_follow_fill=as_prices,
        changes_an_order=25,
        tag_chars=20,
        tag_on_executions=False,
        finds_by_tag=False,
        position_mode=PositionMode.NETTING,
        ticks=TickSource.SNAPSHOTS,
        counts_volume=True,
        history={
            secs: HistoryLimit(span_secs=days * _DAY_SECS) for secs, days in _HISTORY_DAYS.items()
        },
        history_has_forming=True,
        tells_executions=False,
        tells_orders=True,
        poll_secs=5.0,
        market_protection=True,
    )
