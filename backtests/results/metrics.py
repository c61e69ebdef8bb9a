"""Figures of one run, from its equity curve and its closed trades.

Conventions, the same everywhere: daily returns are taken from the last mark of each trading day
(the first from the starting cash), the risk-free rate is 0, a year has 252 trading days, standard
deviations have n - 1 in the divisor. A figure that cannot be formed is None, never 0 or infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.results.expectancy import sample_figures

Array = np.ndarray[Any, np.dtype[Any]]

DAYS_A_YEAR = 252


@dataclass(frozen=True)
class Curve:
    """Equity of one account or plan.

    Attributes
    ----------
    cash_start : float
        Before the first bar.
    end : ndarray of int64, shape (n,)
        END of each mark, ns UTC, ascending.
    equity : ndarray of float64, shape (n,)
        Account currency, open positions marked, at those times.
    day : ndarray of int, shape (n,)
        Trading-day number of each mark.
    """

    cash_start: float
    end: Array
    equity: Array
    day: Array

    def daily(self) -> tuple[Array, Array]:
        """Return trading-day numbers and the last equity of each, shapes (d,) and (d,)."""
        if not len(self.day):
            return self.day, self.equity
        last = np.append(np.flatnonzero(np.diff(self.day)), len(self.day) - 1)
        return self.day[last], self.equity[last]

    def daily_returns(self) -> Array:
        """Return the simple return of each trading day, shape (d,)."""
        _, equity = self.daily()
        before = np.concatenate([[self.cash_start], equity[:-1]])
        return np.asarray(equity / before - 1.0)

    def daily_pnl(self) -> tuple[Array, Array]:
        """Return trading-day numbers and each day's change of equity."""
        days, equity = self.daily()
        return days, np.diff(equity, prepend=self.cash_start)


def max_drawdown_pct(cash_start: float, equity: Array) -> float:
    """Return the deepest fall from a peak in percent of that peak (0 or positive)."""
    curve = np.concatenate([[cash_start], equity])
    peak = np.maximum.accumulate(curve)
    return float(np.max((peak - curve) / peak) * 100.0)


def sharpe(returns: Array) -> float | None:
    """Return the annualised Sharpe ratio of daily returns (risk-free rate 0)."""
    if len(returns) < 2:
        return None
    ratio = _ratio(float(np.mean(returns)), float(np.std(returns, ddof=1)))
    return None if ratio is None else ratio * math.sqrt(DAYS_A_YEAR)


def sortino(returns: Array) -> float | None:
    """Return the annualised Sortino ratio: mean over the root mean square of losses, all days."""
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    ratio = _ratio(float(np.mean(returns)), downside)
    return None if ratio is None else ratio * math.sqrt(DAYS_A_YEAR)


def calmar(returns: Array) -> float | None:
    """Return compound annual growth over the deepest drawdown, both of daily marks."""
    if len(returns) < 2:
        return None
    growth = np.cumprod(1.0 + returns)
    if growth[-1] <= 0:
        return None
    annual = float(growth[-1]) ** (DAYS_A_YEAR / len(returns)) - 1.0
    return _ratio(annual, max_drawdown_pct(1.0, growth) / 100.0)


def profit_factor(pnl: Array) -> float | None:
    """Return gross winnings over gross losses; None without a loss."""
    return _ratio(float(pnl[pnl > 0].sum()), float(-pnl[pnl < 0].sum()))


def win_rate(pnl: Array) -> float | None:
    """Return the share of trades that made money, 0..1."""
    return float(np.mean(pnl > 0)) if len(pnl) else None


def curve_figures(curve: Curve) -> dict[str, Any]:
    """Return the figures of an equity curve: return, drawdown, Sharpe, Sortino, Calmar, days."""
    returns = curve.daily_returns()
    end = float(curve.equity[-1]) if len(curve.equity) else curve.cash_start
    _, pnl = curve.daily_pnl()
    return {
        "equity_end": end,
        "net_profit": end - curve.cash_start,
        "return_pct": (end / curve.cash_start - 1.0) * 100.0,
        "max_drawdown_pct": max_drawdown_pct(curve.cash_start, curve.equity),
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        "calmar": calmar(returns),
        "worst_day": float(pnl.min()) if len(pnl) else None,
        "best_day": float(pnl.max()) if len(pnl) else None,
    }


def trade_figures(pnl: Array, r_multiples: Array) -> dict[str, Any]:
    """Return the figures of closed trades; `r_multiples` leaves out trades without a stop."""
    return {
        "trades": len(pnl),
        "win_rate": win_rate(pnl),
        "profit_factor": profit_factor(pnl),
        **sample_figures(pnl, r_multiples),
    }


def daily_correlation(curves: dict[str, Curve]) -> dict[str, dict[str, float | None]]:
    """Return the correlation of daily P&L between plans, over the days either of them has.

    A day that a plan's data lacks counts as a P&L of 0 there. None where a plan never moved.
    """
    daily = {
        name: dict(zip(*map(list, curve.daily_pnl()), strict=True))
        for name, curve in curves.items()
    }
    days = sorted({day for pnl in daily.values() for day in pnl})
    table = {name: np.array([pnl.get(day, 0.0) for day in days]) for name, pnl in daily.items()}
    return {
        one: {other: _correlation(table[one], table[other]) for other in table} for one in table
    }


def _correlation(one: Array, other: Array) -> float | None:
    if len(one) < 2 or np.std(one) == 0 or np.std(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 and math.isfinite(above) else None
