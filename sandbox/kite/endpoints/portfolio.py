"""Kite's endpoints of an account: positions, holdings, funds, margins, charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from brokers.kite.wire import encode_margins, encode_order_margins, encode_positions
from sandbox.face import Route
from sandbox.kite.endpoints.asking import ForUser, rows_of
from sandbox.kite.portfolio import Portfolio
from sandbox.kite.replies import success, wrong_input
from sandbox.kite.settings import OTHER


class PortfolioEndpoints:
    """/portfolio, /user/margins, /margins, /charges."""

    def __init__(self, portfolio: Portfolio, holdings: Sequence[Mapping[str, Any]]) -> None:
        self._portfolio = portfolio
        self._shares = [dict(row) for row in holdings]

    def routes(self, user: ForUser) -> Sequence[Route]:
        """Return them."""
        return [
            Route("GET", "/portfolio/positions", "positions", user(self._positions), OTHER),
            Route("GET", "/portfolio/holdings", "holdings", user(self._holdings), OTHER),
            Route("GET", "/portfolio/holdings/auctions", "auctions", user(self._auctions), OTHER),
            Route("GET", "/user/margins", "user.margins", user(self._margins), OTHER),
            Route("GET", "/user/margins/{segment}", "user.margins", user(self._margins), OTHER),
            Route("POST", "/margins/orders", "margins", user(self._order_margins), OTHER),
            Route("POST", "/margins/basket", "margins", user(self._basket), OTHER),
            Route("POST", "/charges/orders", "charges", user(self._charges), OTHER),
        ]

    async def _positions(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(encode_positions(self._portfolio.positions(user)))

    async def _holdings(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(self._shares)

    async def _auctions(self, request: web.Request, user: str) -> web.StreamResponse:
        return success([])

    async def _margins(self, request: web.Request, user: str) -> web.StreamResponse:
        rows = encode_margins(self._portfolio.margins(user))
        segment = request.match_info.get("segment")
        if segment is None:
            return success(rows)
        if segment not in rows:
            raise wrong_input("Invalid `segment`.")
        return success(rows[segment])

    async def _order_margins(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(encode_order_margins(self._portfolio.order_margins(await rows_of(request))))

    async def _basket(self, request: web.Request, user: str) -> web.StreamResponse:
        orders = await rows_of(request)
        initial, final = self._portfolio.basket(user, orders)
        rows = encode_order_margins(self._portfolio.order_margins(orders))
        return success(
            {"initial": {"total": initial}, "final": {"total": final}, "orders": rows,
             "charges": rows[0]["charges"] if len(rows) == 1 else {}}
        )  # fmt: skip

    async def _charges(self, request: web.Request, user: str) -> web.StreamResponse:
        orders = await rows_of(request)
        margins = encode_order_margins(self._portfolio.order_margins(orders))
        named = ("transaction_type", "tradingsymbol", "exchange", "variety", "product",
                 "order_type", "quantity")  # fmt: skip
        return success(
            [
                {name: order.get(name) for name in named}
                | {"price": order.get("average_price", 0), "charges": margin["charges"]}
                for order, margin in zip(orders, margins, strict=True)
            ]
        )
