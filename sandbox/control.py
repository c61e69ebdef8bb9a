"""The sandbox's own routes, outside every venue's paths: lock-step, clock, other hands, faults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from core.errors import TolaError
from core.lockstep import STEP_PATH
from core.orders import OrderKind, Side
from sandbox.face import Route
from sandbox.faults import Fault
from sandbox.orders import BoxOrder

if TYPE_CHECKING:
    from sandbox.box import Sandbox


class Control:
    """Answers under /_box with JSON; what cannot be done is a 400 that says why."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("POST", STEP_PATH, "step", self._step),
            Route("DELETE", STEP_PATH, "leave", self._leave),
            Route("GET", "/_box/state", "state", self._state),
            Route("POST", "/_box/play", "play", self._play),
            Route("POST", "/_box/hand", "hand", self._hand),
            Route("POST", "/_box/fault", "fault", self._fault),
            Route("GET", "/_box/ledger/{table}", "ledger", self._ledger),
        ]

    async def _step(self, request: web.Request) -> web.Response:
        """Say that a session is done with a packet; answered with the next one's number."""
        if self._box.lock_step is None:
            return _wrong("this sandbox does not run in lock-step: start it with --lock-step")
        body = await _body(request)
        done = body.get("done")
        packet = await self._box.lock_step.step(str(body.get("session", "")), done)
        return web.json_response({"packet": packet, "now": self._box.now})

    async def _leave(self, request: web.Request) -> web.Response:
        if self._box.lock_step is not None:
            body = await _body(request)
            await self._box.lock_step.leave(str(body.get("session", "")))
        return web.json_response({})

    async def _state(self, request: web.Request) -> web.Response:
        """Tell where the market stands."""
        box = self._box
        return web.json_response(
            {
                "venue": box.face.venue,
                "now": box.now,
                "packet": box.packet,
                "is_over": box.is_over,
                "error": "" if box.error is None else str(box.error),
                "sessions": [] if box.lock_step is None else box.lock_step.sessions,
                "orders": len(box.exchange.orders),
                "working": len(box.exchange.working),
                "faults_struck": len(box.plan.struck),
                "requests_refused": box.server.counts.refused,
                "requests_highest": {
                    " ".join(key).strip(): most for key, most in box.server.counts.highest.items()
                },
                "ledger": str(box.ledger.path or ""),
            }
        )

    async def _play(self, request: web.Request) -> web.Response:
        """Go on by some packets."""
        wanted = int((await _body(request)).get("packets", 1))
        try:
            self._box.require_still()
        except TolaError as error:
            return _wrong(str(error))
        played = 0
        while played < wanted and await self._box.move():
            played += 1
        return web.json_response({"played": played, "now": self._box.now})

    async def _hand(self, request: web.Request) -> web.Response:
        """Act by another hand: action buy, sell, close, cancel or modify, as in a fault plan."""
        body = await _body(request)
        hand, account = self._box.hand, str(body.get("account", ""))
        account = account or next(iter(self._box.exchange.accounts))
        try:
            made = self._act(hand, account, body)
        except (TolaError, KeyError, ValueError) as error:
            return _wrong(str(error))
        await self._box.face.flush()
        return web.json_response({"orders": [_row(order) for order in made]})

    def _act(self, hand: Any, account: str, body: dict[str, Any]) -> list[BoxOrder]:
        price = body.get("price")
        match body.get("action"):
            case "buy" | "sell":
                kind = OrderKind[body.get("kind", "MARKET" if price is None else "LIMIT")]
                side = Side[body["action"].upper()]
                return [
                    hand.place(
                        account, body["contract"], side, float(body["quantity"]), kind, price,
                        body.get("limit_price"), body.get("product", ""),
                    )
                ]  # fmt: skip
            case "close":
                return list(hand.close(account, body.get("contract", "")))
            case "cancel":
                return list(hand.cancel(account, int(body.get("order", 0))))
            case "modify":
                return [hand.modify(account, int(body["order"]), float(body["price"]))]
        raise ValueError("action: expected buy, sell, close, cancel or modify")

    async def _fault(self, request: web.Request) -> web.Response:
        """Add a fault to the plan."""
        try:
            self._box.arm(Fault(**await _body(request)))
        except (TolaError, TypeError) as error:
            return _wrong(str(error))
        return web.json_response({})

    async def _ledger(self, request: web.Request) -> web.Response:
        """Return the rows of one table of the sandbox's books."""
        try:
            return web.json_response(self._box.ledger.rows(request.match_info["table"]))
        except ValueError as error:
            return _wrong(str(error))


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="expected a JSON object")
    return body


def _wrong(text: str) -> web.Response:
    return web.json_response({"error": text}, status=400)


def _row(order: BoxOrder) -> dict[str, Any]:
    return {"order": str(order.number), "status": order.status.name, "reason": order.reason}
