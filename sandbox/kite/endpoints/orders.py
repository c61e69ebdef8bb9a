"""Kite's endpoints of orders, trades and triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from brokers.kite.wire import encode_gtt, encode_order, encode_trade
from sandbox.face import Route
from sandbox.kite.desk import Desk
from sandbox.kite.endpoints.asking import ForUser, form_of, number_of
from sandbox.kite.replies import success
from sandbox.kite.settings import OTHER, PLACE
from sandbox.kite.triggers import Triggers


class OrderEndpoints:
    """/orders, /trades, /gtt."""

    def __init__(self, desk: Desk, triggers: Triggers) -> None:
        self._desk = desk
        self._triggers = triggers

    def routes(self, user: ForUser) -> Sequence[Route]:
        """Return them."""
        return [
            Route("GET", "/orders", "orders", user(self._orders), OTHER),
            Route("GET", "/orders/{id}", "orders.history", user(self._order_history), OTHER),
            Route("GET", "/orders/{id}/trades", "orders.trades", user(self._trades), OTHER),
            Route("POST", "/orders/{variety}", "orders.place", user(self._place), PLACE),
            Route("PUT", "/orders/{variety}/{id}", "orders.modify", user(self._modify), OTHER),
            Route("DELETE", "/orders/{variety}/{id}", "orders.cancel", user(self._cancel), OTHER),
            Route("GET", "/trades", "trades", user(self._trades), OTHER),
            Route("GET", "/gtt/triggers", "gtt", user(self._gtts), OTHER),
            Route("POST", "/gtt/triggers", "gtt.place", user(self._gtt_place), OTHER),
            Route("GET", "/gtt/triggers/{id}", "gtt.get", user(self._gtt), OTHER),
            Route("PUT", "/gtt/triggers/{id}", "gtt.modify", user(self._gtt_modify), OTHER),
            Route("DELETE", "/gtt/triggers/{id}", "gtt.delete", user(self._gtt_delete), OTHER),
        ]

    async def _place(self, request: web.Request, user: str) -> web.StreamResponse:
        form = await form_of(request)
        numbers = self._desk.place(user, request.match_info["variety"], form)
        ids = [str(number) for number in numbers]
        data: dict[str, Any] = {"order_id": ids[0]}
        if len(ids) > 1:
            data["children"] = [{"order_id": number} for number in ids[1:]]
        return success(data)

    async def _modify(self, request: web.Request, user: str) -> web.StreamResponse:
        number = number_of(request)
        self._desk.modify(user, number, await form_of(request))
        return success({"order_id": str(number)})

    async def _cancel(self, request: web.Request, user: str) -> web.StreamResponse:
        number = number_of(request)
        self._desk.cancel(user, number)
        return success({"order_id": str(number)})

    async def _orders(self, request: web.Request, user: str) -> web.StreamResponse:
        return success([encode_order(order) for order in self._desk.book(user)])

    async def _order_history(self, request: web.Request, user: str) -> web.StreamResponse:
        number = number_of(request)
        self._desk.order(user, number)
        return success([encode_order(order) for order in self._desk.history[number]])

    async def _trades(self, request: web.Request, user: str) -> web.StreamResponse:
        number = number_of(request) if "id" in request.match_info else None
        if number is not None:
            self._desk.order(user, number)
        return success([encode_trade(trade) for trade in self._desk.trades(user, number)])

    async def _gtts(self, request: web.Request, user: str) -> web.StreamResponse:
        return success([encode_gtt(gtt) for gtt in self._triggers.all(user)])

    async def _gtt(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(encode_gtt(self._triggers.get(user, number_of(request))))

    async def _gtt_place(self, request: web.Request, user: str) -> web.StreamResponse:
        return success({"trigger_id": self._triggers.add(user, await form_of(request))})

    async def _gtt_modify(self, request: web.Request, user: str) -> web.StreamResponse:
        number = number_of(request)
        return success({"trigger_id": self._triggers.change(user, number, await form_of(request))})

    async def _gtt_delete(self, request: web.Request, user: str) -> web.StreamResponse:
        return success({"trigger_id": self._triggers.delete(user, number_of(request))})
