"""What a fill and a night cost: one record of rates, and the kernels that apply it.

Rates are shares of turnover (quantity x price x multiplier) or money per 1.0 of quantity, all in
the instrument's quote currency; the caller multiplies by fx. Every charge is worked out per fill
and rounded by its own rule. The dated tables behind a record are in `charges.toml`
(`core.instruments` picks the rows of a day); the record itself knows no dates.
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from core.prices import LOT_TOLERANCE

COST_KINDS = (
    "commission",
    "brokerage",
    "stt",
    "ctt",
    "exchange",
    "sebi",
    "stamp",
    "gst",
)
"""Kinds of charge, in the order `charge_by_kind` writes them."""

COST = record_dtype(
    [
        ("commission_per_unit", "f8"),
        ("commission_rate", "f8"),
        ("brokerage_rate", "f8"),
        ("brokerage_cap", "f8"),
        ("freeze_quantity", "f8"),
        ("stt_buy_rate", "f8"),
        ("stt_sell_rate", "f8"),
        ("ctt_buy_rate", "f8"),
        ("ctt_sell_rate", "f8"),
        ("exchange_rate", "f8"),
        ("exchange_per_unit", "f8"),
        ("sebi_rate", "f8"),
        ("stamp_buy_rate", "f8"),
        ("gst_rate", "f8"),
        ("round_charge", "f8"),
        ("round_tax", "f8"),
        ("round_stamp", "f8"),
        ("swap_long", "f8"),
        ("swap_short", "f8"),
        ("swap_triple_weekday", "i1"),
    ]
)
"""Rates in force on one day.

commission_per_unit : money per 1.0 of quantity and side (futures, CFD lots).
commission_rate : share of turnover per side.
brokerage_rate, brokerage_cap : share of turnover, at most the cap per order (cap 0 = no cap;
    rate 0 with a cap: the cap is a flat fee).
freeze_quantity : largest quantity of one order (0 = none); a larger fill was sent as that many
    orders, and each pays its own brokerage.
stt_*, ctt_* : Indian transaction taxes by side; exchange_rate, sebi_rate, stamp_buy_rate : shares
    of turnover; exchange_per_unit : exchange and clearing fees per 1.0 of quantity and side.
gst_rate : on brokerage, exchange and SEBI charges.
round_charge, round_tax, round_stamp : rounding steps in money (0 = not rounded); tax is STT or CTT.
swap_long, swap_short : money PAID per 1.0 of quantity and night (negative = received).
swap_triple_weekday : weekday (Monday = 0) whose 17:00 New York roll counts three; -1 none.
"""


HALF_TOLERANCE = 1e-6
"""A charge within this share of a rounding step below the half is taken as the half: products of
decimal rates fall a few units of the last place short of it."""


def no_costs() -> np.ndarray[Any, Any]:
    """Return a one-item COST array in which everything is free."""
    cost = np.zeros(1, COST)
    cost["swap_triple_weekday"] = -1
    return cost


@kernel
def round_money(value: float, step: float) -> float:
    """Round half up to a whole number of steps (0.01 paisa or cent, 1.0 rupee; 0 = as it is)."""
    if step <= 0.0:
        return value
    if step < 1.0:
        inverse = floor(1.0 / step + 0.5)
        return floor(value * inverse + 0.5 + HALF_TOLERANCE) / inverse
    return floor(value / step + 0.5 + HALF_TOLERANCE) * step


@kernel
def brokerage_of_order(cost: Any, turnover: float) -> float:
    """Return the brokerage of one order, rounded."""
    paid: float = cost.brokerage_rate * turnover
    if cost.brokerage_cap > 0.0 and (cost.brokerage_rate == 0.0 or paid > cost.brokerage_cap):
        paid = cost.brokerage_cap
    return round_money(paid, cost.round_charge)


@kernel
def brokerage(cost: Any, quantity: float, unit_value: float) -> float:
    """Return the brokerage of a fill, sliced into orders of at most the freeze quantity."""
    if cost.freeze_quantity <= 0.0 or quantity <= cost.freeze_quantity:
        return brokerage_of_order(cost, quantity * unit_value)
    whole: int = floor(quantity / cost.freeze_quantity + LOT_TOLERANCE)
    rest: float = quantity - whole * cost.freeze_quantity
    paid = whole * brokerage_of_order(cost, cost.freeze_quantity * unit_value)
    if rest > LOT_TOLERANCE * quantity:
        paid += brokerage_of_order(cost, rest * unit_value)
    return paid


@kernel
def each_charge(
    cost: Any, is_buy: bool, quantity: float, price: float, multiplier: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Return one fill's charges in the order of COST_KINDS (see `charge_by_kind`)."""
    turnover = quantity * price * multiplier
    commission = round_money(
        cost.commission_per_unit * quantity + cost.commission_rate * turnover, cost.round_charge
    )
    broker = brokerage(cost, quantity, price * multiplier)
    stt = cost.stt_buy_rate if is_buy else cost.stt_sell_rate
    ctt = cost.ctt_buy_rate if is_buy else cost.ctt_sell_rate
    exchange = round_money(
        cost.exchange_rate * turnover + cost.exchange_per_unit * quantity, cost.round_charge
    )
    sebi = round_money(cost.sebi_rate * turnover, cost.round_charge)
    stamp = cost.stamp_buy_rate if is_buy else 0.0
    return (
        commission,
        broker,
        round_money(stt * turnover, cost.round_tax),
        round_money(ctt * turnover, cost.round_tax),
        exchange,
        sebi,
        round_money(stamp * turnover, cost.round_stamp),
        round_money(cost.gst_rate * (broker + exchange + sebi), cost.round_charge),
    )


@kernel
def charge_by_kind(
    cost: Any, is_buy: bool, quantity: float, price: float, multiplier: float, out: Any
) -> float:
    """Write one fill's charges by kind and return their sum.

    Parameters
    ----------
    cost : COST record
    is_buy : side of the fill.
    quantity, price : never signed; quantity as the instrument trades (lots, contracts, units).
    multiplier : quote money per 1.0 price move of 1.0 quantity.
    out : ndarray of float64, shape (8,), in the order of COST_KINDS, quote currency, >= 0 = paid.
    """
    total = 0.0
    for kind, paid in enumerate(each_charge(cost, is_buy, quantity, price, multiplier)):
        out[kind] = paid
        total += paid
    return total


@kernel
def charge(cost: Any, is_buy: bool, quantity: float, price: float, multiplier: float) -> float:
    """Return all charges of one fill in quote currency (the sum of `charge_by_kind`)."""
    total = 0.0
    for paid in each_charge(cost, is_buy, quantity, price, multiplier):
        total += paid
    return total


@kernel
def swap(cost: Any, size: float, nights: int) -> float:
    """Return the swap paid for a signed position over weighted nights (negative = received)."""
    rate: float = cost.swap_long if size > 0.0 else cost.swap_short
    return rate * abs(size) * nights


def charges_of(
    cost: Any, is_buy: bool, quantity: float, price: float, multiplier: float
) -> dict[str, float]:
    """Return one fill's charges by kind name, those that are not 0, in quote currency."""
    amounts = np.zeros(len(COST_KINDS))
    charge_by_kind(cost, is_buy, quantity, price, multiplier, amounts)
    return {
        kind: float(amount)
        for kind, amount in zip(COST_KINDS, amounts, strict=True)
        if amount != 0.0
    }
