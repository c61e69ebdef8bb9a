"""The trades of a run as paths are drawn from them: by trading day, in account money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import DataError
from core.fx import FxRate
from core.instruments import Instrument
from core.ledger import Trade
from core.wording import plural

Array = np.ndarray[Any, np.dtype[Any]]

LEAST_TRADES = 10


@dataclass(frozen=True)
class Sample:
    """Closed trades in the order they closed, and the trading days they lie in.

    Attributes
    ----------
    days : trading-day numbers of the data, shape (d,). first : place of each day's first trade, and
        after the last day the number of trades, shape (d + 1,). A trade is of the day it closed.
    pnl, costs : account currency, pnl net of costs. low, high : worst and best open profit on the
        way, net of nothing; where a trade had no stop they are those of its end.
    risk : money at the initial stop, nan without one. quantity : contracts, lots or units.
    tick_money : account money that one tick is worth at the trade's size.
    before : equity before each trade. by_share : sizes follow equity, so paths compound.
    """

    symbol: str
    currency: str
    cash: float
    days: Array
    first: Array
    pnl: Array
    costs: Array
    low: Array
    high: Array
    risk: Array
    quantity: Array
    tick_money: Array
    before: Array
    by_share: bool

    def __len__(self) -> int:
        return len(self.pnl)

    @property
    def daily(self) -> Array:
        """Profit of each trading day, 0 where no trade closed, shape (d,)."""
        sums = np.concatenate([[0.0], np.cumsum(self.pnl)])
        found: Array = sums[self.first[1:]] - sums[self.first[:-1]]
        return found


def sample_of(
    trades: Sequence[Trade],
    bars: Array | Mapping[str, Array],
    instrument: Instrument,
    fx: FxRate,
    cash: float,
    currency: str,
    *,
    by_share: bool,
) -> Sample:
    """Return the sample that closed trades make.

    Parameters
    ----------
    trades : of one plan. bars : BAR array they were made on; `start` and `day` are enough.
    by_share : whether sizes follow equity.

    Raises
    ------
    DataError : fewer than LEAST_TRADES trades.
    """
    if len(trades) < LEAST_TRADES:
        raise DataError(
            f"{plural(len(trades), 'trade')}, too few for odds: expected {LEAST_TRADES} or more; "
            "take a longer history, or a plan that trades more"
        )
    ordered = sorted(trades, key=lambda trade: (trade.exit_time, trade.trade_id))
    starts, day_of = np.asarray(bars["start"]), np.asarray(bars["day"])
    exits = np.array([trade.exit_bar for trade in ordered], np.int64)
    days = np.unique(day_of)
    closed = day_of[np.searchsorted(starts, exits)]
    first = np.searchsorted(closed, np.append(days, days[-1] + 1)).astype(np.int64)
    pnl = np.array([trade.pnl for trade in ordered])
    risk = np.array([_risk(trade) for trade in ordered])
    quantity = np.array([trade.quantity for trade in ordered])
    ticks = np.empty(len(ordered))
    for place, (trade, day) in enumerate(zip(ordered, closed, strict=True)):
        facts = instrument.facts(int(day))
        ticks[place] = facts.tick * facts.multiplier * fx.at(trade.exit_time) * trade.quantity
    return Sample(
        symbol=instrument.symbol,
        currency=currency,
        cash=cash,
        days=days,
        first=first,
        pnl=pnl,
        costs=np.array([trade.costs for trade in ordered]),
        low=np.minimum(_excursions(ordered, risk, "mae_r"), pnl),
        high=np.maximum(_excursions(ordered, risk, "mfe_r"), pnl),
        risk=risk,
        quantity=quantity,
        tick_money=ticks,
        before=cash + np.concatenate([[0.0], np.cumsum(pnl)[:-1]]),
        by_share=by_share,
    )


def _risk(trade: Trade) -> float:
    if trade.planned_risk is not None:
        return float(trade.planned_risk)
    return trade.pnl / trade.r_multiple if trade.r_multiple else float("nan")


def _excursions(trades: Sequence[Trade], risk: Array, name: str) -> Array:
    """Return the open profit at an excursion, 0 where it is not known."""
    in_r = np.array([getattr(trade, name) or 0.0 for trade in trades])
    return np.where(np.isnan(risk), 0.0, in_r * np.nan_to_num(risk))
