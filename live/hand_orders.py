"""Orders by hand: new ones through the guard on the hand's own plan, changes of any that works."""

from __future__ import annotations

import re
from typing import Any

import backtrader as bt

from core.errors import ConfigError, RiskRefused, TolaError, near_name
from core.orders import OrderKind
from live.given import Given, Told, price, quantity_of, word
from live.hands import Hand

_CHILDREN = (("stop_loss", bt.Order.Stop, "stop"), ("take_profit", bt.Order.Limit, "target"))
_STOPS = (OrderKind.STOP, OrderKind.STOP_LIMIT, OrderKind.TRAILING_STOP)
_PRICES = ("limit", "stop", "stop_loss", "take_profit")


class HandOrders:
    """Sends, changes and cancels orders of what a `Stage` runs."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage

    def order(self, given: Given) -> tuple[Any, Told]:
        """Send an order; return its ticket (None while the guard holds it back) and what is told.

        Raises
        ------
        ConfigError : something of it is no order. RiskRefused : the guard said no.
        TolaError : it cannot be sent now.
        """
        if given.get("gap"):
            raise RiskRefused("gap", 0.0, 0.0, str(given["gap"]))
        hand = self._hand(given)
        side = {"buy": 1, "sell": -1}.get(word(given, "side"))
        if side is None:
            raise ConfigError(f"side={given['side']!r}: expected buy or sell")
        plan = next(item for item in self._stage.broker.plans if item.plan_id == hand.plan_id)
        quantity = quantity_of(given, plan)
        if not len(hand.data):
            raise TolaError(f"{hand.symbol} has no bar yet: wait for the first")
        terms = self._terms(given, hand, plan, side, quantity)
        entry = self._send(hand, side, quantity, terms)
        raise_refusal(entry)
        ticket = next((item for item in self._tickets() if item.order is entry), None)
        told = {"plan": plan.plan_id, "symbol": plan.symbol, "quantity": quantity}
        if ticket is None:
            return None, {"text": "waits until another plan is flat", **told}
        return ticket, {"text": "sent", "order_id": ticket.order_id, **told}

    def cancel(self, given: Given) -> Any:
        """Ask for an order's end; return its ticket."""
        ticket = self._ticket(given)
        self._stage.guard.cancel(ticket.order)
        return ticket

    def modify(self, given: Given) -> tuple[Any, dict[str, float]]:
        """Ask for new terms of an order; return its ticket and the terms.

        Raises
        ------
        RiskRefused : a stop moves only to less risk, an exit never exceeds the position, an entry
            is judged again.
        """
        ticket = self._ticket(given)
        terms = {
            name: price(given, key)
            for name, key in (("price", "price"), ("limit_price", "limit"))
            if given.get(key) is not None
        }
        if given.get("quantity") is not None:
            terms["size"] = quantity_of(given, ticket.plan)
        if not terms:
            raise ConfigError("modify: name a price, a limit or a quantity")
        kind = ticket.request.kind if ticket.child is None else ticket.child.kind
        if kind in _STOPS and "price" in terms:
            self._check_trigger("price", terms["price"], ticket.plan.symbol, ticket.order.isbuy())
        guard = self._stage.guard
        if not guard.modify(ticket.order, **terms):
            last = guard.events[-1]
            raise RiskRefused(last.rule, last.limit, last.value, last.detail)
        return ticket, terms

    def meant(self, given: Given) -> list[Hand]:
        """Return the hands of the symbol that is named, itself or by a plan; all for no name."""
        wanted = str(given.get("plan") or "")
        symbol = {plan.plan_id: plan.symbol for plan in self._stage.broker.plans}.get(wanted)
        return [hand for hand in self._stage.hands if not wanted or hand.symbol in (wanted, symbol)]

    # -- inside ------------------------------------------------------------------------------

    def _tickets(self) -> list[Any]:
        return list(self._stage.broker.tickets())

    def _terms(
        self, given: Given, hand: Hand, plan: Any, side: int, quantity: float
    ) -> dict[str, float]:
        """Return the prices that are given, checked for what can only be a slip."""
        terms = {name: price(given, name) for name in _PRICES if given.get(name) is not None}
        if "limit" in terms and "stop" in terms:
            raise ConfigError("limit and stop: give one of them")
        if "stop" in terms:
            self._check_trigger("stop", terms["stop"], hand.symbol, side > 0)
        held = abs(plan.size(plan.position_steps))
        if plan.position_steps * side < 0:
            if quantity > held + 1e-9:
                raise ConfigError(
                    f"quantity={quantity:g}: {plan.plan_id} holds {held:g} {plan.symbol} the other "
                    "way: close that first, or order no more than it"
                )
            if terms.keys() & {"stop_loss", "take_profit"}:
                raise ConfigError(f"this order closes what {plan.plan_id} holds: it needs no stop")
        entry = terms.get("limit", terms.get("stop", float(hand.data.close[0])))
        for name, sign in (("stop_loss", -side), ("take_profit", side)):
            if name in terms and (terms[name] - entry) * sign <= 0.0:
                where = "above" if sign > 0 else "below"
                raise ConfigError(
                    f"{name}={terms[name]:.10g}: expected {where} the entry at {entry:.10g}"
                )
        return terms

    def _check_trigger(self, name: str, trigger: float, symbol: str, is_buy: bool) -> None:
        """Refuse a trigger that the price has passed: it would be an order at market."""
        hand = next(item for item in self._stage.hands if item.symbol == symbol)
        last = float(hand.data.close[0])
        if (trigger - last) * (1 if is_buy else -1) <= 0.0:
            where, side = ("above", "buys") if is_buy else ("below", "sells")
            raise ConfigError(
                f"{name}={trigger:.10g}: a stop that {side} waits {where} the price {last:.10g}"
            )

    def _send(self, hand: Hand, side: int, quantity: float, terms: dict[str, float]) -> Any:
        """Send an entry with its children to the guard; return the entry."""
        guard, kinds = self._stage.guard, bt.Order
        enter, leave = (guard.buy, guard.sell) if side > 0 else (guard.sell, guard.buy)
        kind = kinds.Limit if "limit" in terms else kinds.Stop if "stop" in terms else kinds.Market
        at = terms.get("limit", terms.get("stop"))
        children = [child for child in _CHILDREN if child[0] in terms]
        entry = enter(
            hand.owner,
            hand.data,
            quantity,
            price=at,
            exectype=kind,
            transmit=not children,
            reason="entry",
            pattern="by_hand",
            planned_entry=float(hand.data.close[0]) if at is None else at,
        )
        for child in children:
            name, exectype, reason = child
            leave(
                hand.owner,
                hand.data,
                quantity,
                price=terms[name],
                exectype=exectype,
                parent=entry,
                transmit=child is children[-1],
                reason=reason,
            )
        return entry

    def _hand(self, given: Given) -> Hand:
        hands = self.meant(given)
        if len(hands) == 1:
            return hands[0]
        symbols = [hand.symbol for hand in self._stage.hands]
        if hands:
            raise ConfigError(f"which symbol? name one of {', '.join(symbols)}")
        wanted = str(given["plan"])
        known = {plan.plan_id for plan in self._stage.broker.plans} | set(symbols)
        raise ConfigError(f"symbol {wanted!r}{near_name(wanted, known)}")

    def _ticket(self, given: Given) -> Any:
        """Return the order that is meant: by our id, the number it ends with, or the venue's id."""
        wanted, tickets = str(given.get("order_id", "")), self._tickets()
        for ticket in tickets:
            if wanted and wanted in (ticket.order_id, ticket.venue_order_id):
                return ticket
        if wanted.isdigit():
            found = [item for item in tickets if _number_of(item) == int(wanted)]
            if len(found) == 1:
                return found[0]
        if not tickets:
            raise TolaError(f"order {wanted!r} is not working: none is")
        known = [ticket.order_id for ticket in tickets]
        raise TolaError(f"order {wanted!r} is not working{near_name(wanted, known)}")


def raise_refusal(entry: Any) -> None:
    """Raise where an entry that was just sent is over already.

    Raises
    ------
    RiskRefused : the guard or the broker did not take it.
    """
    refused = entry.info.get("refused")
    if refused:
        raise RiskRefused(refused.rule, refused.limit, refused.value, refused.detail)
    if not entry.alive():
        why = str(entry.info.get("reason") or "rejected")
        raise RiskRefused(why, 0.0, 0.0, "the broker does not send it")


def _number_of(ticket: Any) -> int:
    found = re.search(r"\d+$", str(ticket.order_id))
    return int(found[0]) if found else -1
