"""The matching engine compiled (or read from the cache) before somebody waits for it.

Compiled functions come into being at their first call. A first fill would wait seconds for the
price walk, and the engine's watchdog with it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from core.bars import BAR
from core.fx import constant_rate
from core.instruments import get_instrument
from core.matching.live_book import LiveBook
from core.orders import ChildRequest, OrderChange, OrderKind, OrderRequest, Role, Side
from core.path_ticks import path_ticks
from core.ports import no_limits
from core.ticks import OPENS_BAR, TRADE

_PRICE, _BAR_NS = 2000.0, 60_000_000_000
_KINDS = (
    OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT,
    OrderKind.TRAILING_STOP,
)  # fmt: skip


@cache
def warm_matching() -> None:
    """Trade every kind of order over two made-up bars, once a process."""
    instrument = get_instrument("MGC").without_margin()
    book = LiveBook(
        "warm", "warm", instrument, constant_rate("USD", "USD", 1.0), discrete=False,
        limits=no_limits(),
    )  # fmt: skip
    for number in range(2):
        bar = np.zeros(1, BAR)
        bar["start"], bar["end"] = number * _BAR_NS, (number + 1) * _BAR_NS
        bar["open"] = bar["close"] = _PRICE
        bar["high"], bar["low"] = _PRICE + 5.0, _PRICE - 5.0
        cell = bar.view(np.recarray)[0]
        book.begin_bar(cell)
        book.see(int(bar["start"][0]), _PRICE, 1.0, 0.1, TRADE | OPENS_BAR)
        for place, kind in enumerate(_KINDS):
            book.add(_bracket(1 + 10 * place + 100 * number, kind))
        book.change(OrderChange(1 + 100 * number, price=_PRICE))
        for ts, _, price, volume, _, _, spread, _ in path_ticks(bar, 0.1).tolist():
            book.see(ts, price, volume, spread, TRADE)
        _ = book.margin, book.open_pnl, book.bid_ask(), book.trailing(), book.kept()
        waits = OrderRequest(99 + number, "warm", "MGC", Side.BUY, 1.0, OrderKind.LIMIT, 1.0)
        book.add(waits)
        book.finish_bar(cell)
        book.cancel(waits.order_id)
    book.flatten()


def _bracket(number: int, kind: OrderKind) -> OrderRequest:
    """Return a made-up entry with a stop and a target."""
    price = None if kind in (OrderKind.MARKET, OrderKind.TRAILING_STOP) else _PRICE
    return OrderRequest(
        number, "warm", "MGC", Side.BUY, 1.0, kind, price,
        limit_price=_PRICE + 1.0 if kind is OrderKind.STOP_LIMIT else None,
        trail_amount=1.0 if kind is OrderKind.TRAILING_STOP else None,
        children=(
            ChildRequest(number + 1, Role.STOP, OrderKind.STOP, 1.0, _PRICE - 3.0),
            ChildRequest(number + 2, Role.TARGET, OrderKind.LIMIT, 1.0, _PRICE + 3.0),
        ),
    )  # fmt: skip
