"""Kite's good-till-triggered orders: one price, or two of which the first ends the other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from brokers.kite.wire import Gtt
from core.errors import TolaError
from sandbox.kite.replies import KiteFault, wrong_input

_YEAR_NS = 365 * 86_400 * 1_000_000_000
_SINGLE, _TWO_LEG = "single", "two-leg"


class Triggers:
    """Keeps triggers and places their orders.

    Parameters
    ----------
    token : returns the instrument token of `EXCHANGE:SYMBOL`, None where nothing is named.
    place : places a LIMIT order of a user from a form; returns its order id.
    now : market time, ns UTC.
    """

    def __init__(
        self,
        token: Callable[[str], int | None],
        place: Callable[[str, Mapping[str, str]], str],
        now: Callable[[], int],
        first_number: int = 1,
    ) -> None:
        self._token = token
        self._place = place
        self._now = now
        self._numbers = itertools.count(100_000 + first_number)
        self._gtts: dict[int, Gtt] = {}

    def add(self, user: str, form: Mapping[str, str]) -> int:
        """Take a trigger; return its id.

        Raises
        ------
        KiteFault : it is not what Kite takes.
        """
        number = next(self._numbers)
        now = self._now()
        self._gtts[number] = replace(
            self._read(user, form), id=number, created_at=now, expires_at=now + _YEAR_NS
        )
        return number

    def change(self, user: str, number: int, form: Mapping[str, str]) -> int:
        """Give an active trigger new terms; return its id."""
        before = self.get(user, number)
        if before.status != "active":
            raise wrong_input(f"Trigger is {before.status}.")
        after = self._read(user, form)
        self._gtts[number] = replace(
            after, id=number, created_at=before.created_at, expires_at=before.expires_at
        )
        return number

    def delete(self, user: str, number: int) -> int:
        """End a trigger; return its id."""
        gtt = self.get(user, number)
        self._gtts[number] = replace(gtt, status="deleted", updated_at=self._now())
        return number

    def get(self, user: str, number: int) -> Gtt:
        """Return a user's trigger.

        Raises
        ------
        KiteFault : there is none.
        """
        found = self._gtts.get(number)
        if found is None or found.user_id != user:
            raise KiteFault("DataException", "Trigger was not found.", 404)
        return found

    def all(self, user: str) -> list[Gtt]:
        """Return a user's triggers, deleted ones left out."""
        return [g for g in self._gtts.values() if g.user_id == user and g.status != "deleted"]

    def take_price(self, token_prices: Mapping[int, float]) -> None:
        """Look at new prices by instrument token: those reached place their orders."""
        for gtt in list(self._gtts.values()):
            price = token_prices.get(gtt.instrument_token)
            if price is None or gtt.status != "active":
                continue
            if self._now() >= gtt.expires_at:
                self._gtts[gtt.id] = replace(gtt, status="expired", updated_at=self._now())
                continue
            leg = _reached(gtt, price)
            if leg is not None:
                self._fire(gtt, leg)

    def _fire(self, gtt: Gtt, leg: int) -> None:
        orders = [dict(order) for order in gtt.orders]
        order = orders[leg]
        form = {name: str(value) for name, value in order.items() if name != "result"}
        result: dict[str, Any] = {"status": "success", "order_id": "", "rejection_reason": ""}
        try:
            result["order_id"] = self._place(gtt.user_id, form)
        except (KiteFault, TolaError) as fault:
            result |= {"status": "failed", "rejection_reason": str(fault)}
        order["result"] = {
            **{name: value for name, value in order.items() if name != "result"},
            "account_id": gtt.user_id, "validity": "DAY", "order_result": result,
        }  # fmt: skip
        self._gtts[gtt.id] = replace(
            gtt, status="triggered", orders=tuple(orders), updated_at=self._now()
        )

    def _read(self, user: str, form: Mapping[str, str]) -> Gtt:
        """Return what a form asks for."""
        try:
            condition = json.loads(form["condition"])
            orders = json.loads(form["orders"])
            key = f"{condition['exchange']}:{condition['tradingsymbol']}"
            values = tuple(float(value) for value in condition["trigger_values"])
            last = float(condition["last_price"])
            rows = [dict(order) for order in orders]
            kinds = {order["order_type"] for order in rows}
        except (KeyError, TypeError, ValueError, json.JSONDecodeError):
            raise wrong_input("Invalid `condition` or `orders`.") from None
        kind, token = form.get("type", ""), self._token(key)
        if token is None:
            raise wrong_input("Invalid `tradingsymbol`.")
        wanted = {_SINGLE: 1, _TWO_LEG: 2}.get(kind)
        if wanted is None or len(values) != wanted or len(rows) != wanted:
            raise wrong_input("Invalid `type`, or trigger values that do not fit it.")
        if kinds != {"LIMIT"}:
            raise wrong_input("GTT takes LIMIT orders alone.")
        if kind == _TWO_LEG and not values[0] < last < values[1]:
            raise wrong_input("Trigger values must lie below and above the last price.")
        if values[0] == last:
            raise wrong_input("Trigger price cannot be the last price.")
        return Gtt(
            0, kind, "active", condition["exchange"], condition["tradingsymbol"], values, last,
            tuple({**row, "result": None} for row in rows), user, token, updated_at=self._now(),
        )  # fmt: skip


def _reached(gtt: Gtt, price: float) -> int | None:
    """Return which order a price sets off, None for neither."""
    if gtt.type == _TWO_LEG:
        low, high = gtt.trigger_values
        return 0 if price <= low else 1 if price >= high else None
    (value,) = gtt.trigger_values
    reached = price >= value if value > gtt.last_price else price <= value
    return 0 if reached else None
