"""Kite's good-till-triggered orders as stop and target of a position (docs, gtt).

A trigger is looked at by the venue while the market moves on and then places a LIMIT order: it is
no order of the exchange. Its limit lies `gtt_slip_percent` beyond the trigger, for a target too: of
two prices the one that was reached has ended the other, so that an order which does not fill leaves
a position without a stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brokers.contracts import Contract
from brokers.kite import wire
from brokers.kite.config import KiteConfig
from brokers.kite.mapping import SIDE_NAMES, SIDES
from core.orders import Role, Side
from core.prices import round_down, round_up

ACTIVE, TRIGGERED = "active", "triggered"
_SINGLE, _TWO_LEG = "single", "two-leg"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both prices of a position, quote currency; None: there is none."""

    stop: float | None = None
    target: float | None = None

    def reached(self, side: Side, last: float) -> Role | None:
        """Return which of them a price has reached. side : of the orders that leave."""
        away = int(side)
        if self.stop is not None and (last - self.stop) * away >= 0.0:
            return Role.STOP
        if self.target is not None and (last - self.target) * away <= 0.0:
            return Role.TARGET
        return None


NO_PRICES = Pair()


@dataclass(frozen=True, slots=True)
class Cover:
    """What one trigger does: leave so many of the exchange's units at either price.

    side : of the orders that leave.
    """

    side: Side
    quantity: int
    pair: Pair

    @property
    def legs(self) -> tuple[tuple[Role, float], ...]:
        """The prices, the lower first, as the venue wants them."""
        pair = ((Role.STOP, self.pair.stop), (Role.TARGET, self.pair.target))
        return tuple(
            sorted(
                ((role, price) for role, price in pair if price is not None),
                key=lambda leg: leg[1],
            )
        )


def limit_of(price: float, side: Side, config: KiteConfig, tick: float) -> float:
    """Return the limit of the order that a trigger at a price places."""
    reach = price * config.gtt_slip_percent / 100.0
    if side is Side.BUY:
        return float(round_up(price + reach, tick))
    return float(max(round_down(price - reach, tick), tick))


def trigger_terms(
    cover: Cover, contract: Contract, last: float, config: KiteConfig, tick: float
) -> dict[str, Any]:
    """Return the arguments of the SDK's `place_gtt` and `modify_gtt`, a trigger's id apart.

    Parameters
    ----------
    last : the contract's last price; the venue takes none that lies outside the two.
    """
    return {
        "trigger_type": _TWO_LEG if len(cover.legs) == 2 else _SINGLE,
        "tradingsymbol": contract.venue_symbol,
        "exchange": contract.exchange,
        "trigger_values": [price for _, price in cover.legs],
        "last_price": last,
        "orders": [
            {
                "transaction_type": SIDE_NAMES[cover.side],
                "quantity": cover.quantity,
                "order_type": "LIMIT",
                "product": config.product,
                "price": limit_of(price, cover.side, config, tick),
            }
            for _, price in cover.legs
        ],
    }


def cover_of(gtt: wire.Gtt, config: KiteConfig, tick: float) -> Cover | None:
    """Return what a trigger covers; None for one that we would not have placed like that.

    A trigger carries no tag: ours are known by the limits of their orders.
    """
    try:
        sides = {SIDES[str(order["transaction_type"])] for order in gtt.orders}
        quantities = {int(order["quantity"]) for order in gtt.orders}
        products = {str(order["product"]) for order in gtt.orders}
        limits = [float(order["price"]) for order in gtt.orders]
    except (KeyError, TypeError, ValueError):
        return None
    if len(sides) != 1 or len(quantities) != 1 or products != {config.product}:
        return None
    (side,), (quantity,) = sides, quantities
    wanted = [limit_of(price, side, config, tick) for price in gtt.trigger_values]
    near = 0.5 * tick
    if len(limits) != len(wanted) or any(
        abs(limit - want) > near for limit, want in zip(limits, wanted, strict=True)
    ):
        return None
    return Cover(side, quantity, _pair_of(gtt, side))


def _pair_of(gtt: wire.Gtt, side: Side) -> Pair:
    """Return which of a trigger's values is the stop, which the target."""
    if gtt.type == _TWO_LEG:
        low, high = gtt.trigger_values
        return Pair(low, high) if side is Side.SELL else Pair(high, low)
    (value,) = gtt.trigger_values
    is_stop = (value - gtt.last_price) * int(side) > 0.0
    return Pair(stop=value) if is_stop else Pair(target=value)


@dataclass(frozen=True, slots=True)
class Firing:
    """An order that a trigger has placed, or shall have: "" where the venue placed none."""

    venue_order_id: str
    role: Role
    quantity: int


def firing_of(gtt: wire.Gtt, cover: Cover) -> Firing | None:
    """Return what has become of a trigger that fired; None of one that has not."""
    for place, order in enumerate(gtt.orders):
        result = order.get("result")
        if not result:
            continue
        role = cover.legs[place][0]
        placed = result.get("order_result") or {}
        return Firing(str(placed.get("order_id") or ""), role, cover.quantity)
    return None


def chunks(amount: int, most: int) -> list[int]:
    """Return quantities that together are an amount, none larger than one order may be."""
    whole, rest = divmod(amount, most)
    return [most] * whole + ([rest] if rest else [])


@dataclass(frozen=True, slots=True)
class Step:
    """One request about triggers. trigger_id : None: place; cover : None: delete."""

    trigger_id: int | None
    cover: Cover | None


def steps_between(standing: dict[int, Cover], wanted: Sequence[Cover]) -> list[Step]:
    """Return the requests that lead from the triggers that stand to those that shall.

    New ones and changes go before deletions: nothing is uncovered in between. What leaves on the
    other side cannot be changed into it.
    """
    missing = list(wanted)
    spare: list[int] = []
    for trigger_id, cover in standing.items():
        if cover in missing:
            missing.remove(cover)
        else:
            spare.append(trigger_id)
    steps: list[Step] = []
    for cover in missing:
        alike = next((item for item in spare if standing[item].side is cover.side), None)
        if alike is not None:
            spare.remove(alike)
        steps.append(Step(alike, cover))
    return steps + [Step(item, None) for item in spare]
