"""Analyzers for any Cerebro: what each day and each trade came near to losing.

`cerebro.addanalyzer(DailyLoss, limit=800)` and `cerebro.addanalyzer(TradeRisk, limit=500)` work
with a plain Backtrader broker, with ours, with and without a guard. They only report. `exact`
in the analysis says what the figures rest on: our broker follows the path inside a bar and keeps
a ledger; with any other broker a bar's high and low stand for the path.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from core.errors import ConfigError
from core.ledger import Trade
from core.results import iso_time
from risk.groups import is_stop
from risk.moment import bar_of, day_of, float_day_to_ns, symbol_of
from risk.rules import DailyLoss as DailyLossRule
from risk.rules import TradeRisk as TradeRiskRule


class DailyLoss(bt.Analyzer):  # type: ignore[misc]
    """Report each trading day's loss against a limit.

    Parameters
    ----------
    limit, limit_pct : float, optional
        Money, or percent of the day's starting equity. Without either the guard's daily-loss
        rule is taken, if there is one; else headroom is None.

    Notes
    -----
    `get_analysis()` gives `exact` (bool) and `days`, a list of dicts: day (ISO date), start_equity,
    low_equity, end_equity, pnl, limit, headroom (what could still have been lost at the worst
    moment; negative where the limit was passed), used_pct (of the limit), trades (closed), locked,
    rule (that locked the day); and `worst_day`, `nearest`. Day-start equity is that of the last
    mark before the roll. The day is the account's: the broker's `trading_day`, with a broker that
    knows none the latest day of any feed in Cerebro (UTC midnight for feeds without a calendar).
    """

    params = (("limit", None), ("limit_pct", None))

    _low: float
    """Lowest equity of the day so far."""

    def start(self) -> None:
        """Begin with the equity of the run's start."""
        self._broker = self.strategy.broker
        self._is_exact = _follows_path(self._broker)
        self._equity = float(self._broker.getvalue())
        self._ledger = getattr(self._broker, "ledger", None)
        self._rows: list[dict[str, Any]] = []
        self._day: int | None = None
        self._closed = self._closed_marked = self._closed_before = 0

    def notify_trade(self, trade: Any) -> None:
        """Count closed trades where no ledger does."""
        self._closed += int(trade.isclosed)

    def prenext(self) -> None:
        """Watch the warm-up too: a strategy may trade before its indicators are ready."""
        self.next()

    def next(self) -> None:
        """Note a bar's equity; close the day where it rolls."""
        day = self._account_day()
        if day is None:
            return
        if day != self._day:
            self._roll(day)
        self._equity = float(self._broker.getvalue())
        self._low = min(self._low, self._lowest(), self._equity)
        self._closed_marked = self._closed_trades()

    def skipped(self, span: Any) -> None:
        """Note bars that were skipped: no order changed on any of them, nor did the day."""
        if self._day is None:
            return
        self._low = min(self._low, float(self._lows_between(span).min()))
        self._equity = span.value.item(-1)

    def _account_day(self) -> int | None:
        """Return the account's trading day, None before the first bar."""
        known = getattr(self._broker, "trading_day", None)
        if known is not None:
            return None if known < 0 else int(known)
        days = [day_of(data) for data in self.strategy.cerebro.datas if len(data)]
        if self._day is not None:
            days.append(self._day)
        return max(days, default=None)

    def _roll(self, day: int) -> None:
        self._end_day()
        self._day = day
        self._start = self._low = self._equity
        self._closed_before = self._closed_marked
        self._limit = self._limit_of(self._start)

    def _lows_between(self, span: Any) -> np.ndarray[Any, Any]:
        """Return the lowest equity inside each skipped bar."""
        lowest: Any = _extremes_between(self._broker, span)
        if self._is_exact:
            lowest = float(self._broker.limits[0].low_equity)
        lows: np.ndarray[Any, Any] = np.minimum(span.value, lowest)
        return lows

    def stop(self) -> None:
        """Close the last day."""
        self._end_day()

    def get_analysis(self) -> dict[str, Any]:
        """Return the days and the nearest approach."""
        days = self._rows
        worst = min((row["pnl"] for row in days), default=None)
        near = [row for row in days if row["headroom"] is not None]
        nearest = min(near, key=lambda row: row["headroom"], default=None)
        return {"exact": self._is_exact, "days": days, "worst_day": worst, "nearest": nearest}

    def _lowest(self) -> float:
        """Return the lowest equity inside the bar, as well as the broker lets it be known."""
        if self._is_exact:
            return float(self._broker.limits[0].low_equity)
        return _equity_at_extremes(self._broker, self.strategy.cerebro.datas)

    def _limit_of(self, start: float) -> float | None:
        limits = [] if self.p.limit is None else [float(self.p.limit)]
        if self.p.limit_pct is not None:
            limits.append(start * float(self.p.limit_pct) / 100.0)
        context = getattr(self._broker, "context", None)
        if not limits and context is not None:
            rules = [rule for rule in self._broker.rules if isinstance(rule, DailyLossRule)]
            limits = [start - rule.floor(context) for rule in rules]
        return min(limits, default=None)

    def _end_day(self) -> None:
        if self._day is None:
            return
        headroom = None if self._limit is None else self._limit - (self._start - self._low)
        locked_by = self._locked_by()
        self._rows.append(
            {
                "day": str(np.datetime64(self._day, "D")),
                "start_equity": self._start,
                "low_equity": self._low,
                "end_equity": self._equity,
                "pnl": self._equity - self._start,
                "limit": self._limit,
                "headroom": headroom,
                "used_pct": None
                if self._limit is None
                else 100.0 * (self._start - self._low) / self._limit,
                "trades": self._closed_marked - self._closed_before,
                "locked": locked_by != "",
                "rule": locked_by,
            }
        )

    def _locked_by(self) -> str:
        """Return the loss rule that locked the day that ends, empty for none."""
        for event in getattr(self._broker, "events", ()):
            if event.action == "breach" and event.day == self._day:
                return str(event.rule)
        return ""

    def _closed_trades(self) -> int:
        return self._closed if self._ledger is None else len(self._ledger.trades)


def _follows_path(broker: Any) -> bool:
    """Whether a broker writes the lowest equity of a bar's path into its guard's limits."""
    inner = getattr(broker, "inner", None)
    return bool(getattr(inner, "follows_path", False))


def _equity_at_extremes(broker: Any, datas: list[Any]) -> float:
    """Return equity with every open position at the adverse extreme of its bar."""
    equity = float(broker.getvalue())
    for data in datas:
        size = float(broker.getposition(data).size) if len(data) else 0.0
        if size:
            adverse = float(data.low[0] if size > 0 else data.high[0])
            equity += size * (adverse - float(data.close[0])) * _point_value(broker, data)
    return equity


def _extremes_between(broker: Any, span: Any) -> np.ndarray[Any, Any]:
    """Return equity on each skipped bar with every open position at its adverse extreme."""
    equity: np.ndarray[Any, Any] = span.value
    for data in span.timeline.datas:
        size = float(broker.getposition(data).size)
        if not size:
            continue
        rows = _rows_of(data, span)
        lines = data.lines
        adverse = np.frombuffer((lines.low if size > 0 else lines.high).array)[rows]
        moved = adverse - np.frombuffer(lines.close.array)[rows]
        equity = equity.copy()
        equity[len(equity) - len(moved) :] += size * moved * _point_value(broker, data)
    return equity


def _rows_of(data: Any, span: Any) -> Any:
    """Return the rows a feed stands on at the skipped steps, from its first bar on."""
    rows = span.timeline.rows[span.timeline.index_of(data)]
    if rows is None:
        return slice(span.first, span.stop)
    rows = rows[span.first : span.stop]
    return rows[rows >= 0]


def _point_value(broker: Any, data: Any) -> float:
    return float(broker.getcommissioninfo(data).profitandloss(1.0, 0.0, 1.0))


class TradeRisk(bt.Analyzer):  # type: ignore[misc]
    """Report each trade's risk: planned against realised, excursions, nearness to a limit.

    Parameters
    ----------
    limit, limit_pct : float, optional
        Largest planned risk of a trade: money, or percent of equity on the bar of the entry.
        Without either the guard's rule is taken, if there is one.

    Notes
    -----
    `get_analysis()` gives `exact` and `trades`, a list of dicts: plan_id, symbol, side, quantity,
    entry_bar, entry_time, exit_time, entry_price, exit_price, stop, planned_risk, pnl, r_multiple,
    realised_risk (loss as a share of what was planned; 0 for a winner), mae_r, mfe_r, limit,
    headroom (limit - planned risk); and totals: mean_r, worst_r, over_planned (trades that lost
    more than planned), without_stop. Planned risk is |planned entry - initial stop| x quantity x
    point value; trades without a stop have no R.
    """

    params = (("limit", None), ("limit_pct", None))

    def start(self) -> None:
        """Forget the last run."""
        self._broker = self.strategy.broker
        self._ledger = getattr(self._broker, "ledger", None)
        self._stops: dict[int, float] = {}
        self._entries: dict[int, Any] = {}
        self._open: dict[int, _OpenTrade] = {}
        self._rows: list[dict[str, Any]] = []
        self._limits: dict[tuple[str, str], float] = {}
        self._plans = _plans_of(self.strategy, self._broker)

    def notify_order(self, order: Any) -> None:
        """Learn the stop of a bracket and the order a trade was opened by."""
        if self._ledger is None and order.parent is not None and is_stop(order):
            self._stops.setdefault(int(order.parent.ref), float(order.created.price))
        if order.parent is None and order.executed.size:
            self._entries[id(order.data)] = order
            limit = self._limit_now()
            if limit is not None:
                bar_start = iso_time(int(bar_of(order.data).start))
                self._limits.setdefault((self._plans.get(id(order.data), ""), bar_start), limit)

    def notify_trade(self, trade: Any) -> None:
        """Open or close a row."""
        if self._ledger is not None:
            return
        if trade.justopened:
            order = self._entries.get(id(trade.data))
            plan = self._plans.get(id(trade.data), "")
            self._open[trade.ref] = _OpenTrade(trade, order, self._stops, self._broker, plan)
        elif trade.isclosed and trade.ref in self._open:
            self._rows.append(self._open.pop(trade.ref).row(trade))

    def prenext(self) -> None:
        """Follow trades opened in the warm-up too."""
        self.next()

    def next(self) -> None:
        """Follow the excursions of open trades by their bars."""
        for item in self._open.values():
            item.mark()

    def skipped(self, span: Any) -> None:
        """Follow open trades over bars that were skipped."""
        for item in self._open.values():
            item.mark_between(_rows_of(item.data, span))

    def get_analysis(self) -> dict[str, Any]:
        """Return the rows and their totals."""
        rows = self._rows if self._ledger is None else self._ledger_rows()
        rows = [self._with_limit(row) for row in rows]
        multiples = [row["r_multiple"] for row in rows if row["r_multiple"] is not None]
        return {
            "exact": _follows_path(self._broker),
            "trades": rows,
            "mean_r": sum(multiples) / len(multiples) if multiples else None,
            "worst_r": min(multiples, default=None),
            "over_planned": sum(1 for multiple in multiples if multiple < -1.0 - 1e-9),
            "without_stop": len(rows) - len(multiples),
        }

    def _ledger_rows(self) -> list[dict[str, Any]]:
        assert self._ledger is not None
        own = set(self._plans.values())
        return [_ledger_row(trade) for trade in self._ledger.trades if trade.plan_id in own]

    def _limit_now(self) -> float | None:
        limits = [] if self.p.limit is None else [float(self.p.limit)]
        if self.p.limit_pct is not None:
            limits.append(float(self._broker.getvalue()) * float(self.p.limit_pct) / 100.0)
        context = getattr(self._broker, "context", None)
        if not limits and context is not None:
            rules = [rule for rule in self._broker.rules if isinstance(rule, TradeRiskRule)]
            limits = [rule.limit(context) for rule in rules]
        return min(limits, default=None)

    def _with_limit(self, row: dict[str, Any]) -> dict[str, Any]:
        limit = self._limits.get((row["plan_id"], row["entry_bar"]))
        planned = row["planned_risk"]
        headroom = None if limit is None or planned is None else limit - planned
        return {**row, "limit": limit, "headroom": headroom}


def _plans_of(strategy: Any, broker: Any) -> dict[int, str]:
    """Return the plan of each feed a strategy may trade, by the feed's identity."""
    plan_of = getattr(broker, "plan_of", symbol_of)
    plans = {}
    for data in strategy.datas:
        try:
            plans[id(data)] = str(plan_of(data))
        except ConfigError:
            continue  # a further series: it is not traded
    return plans


class _OpenTrade:
    """A Backtrader trade that is open: its plan and its excursions so far."""

    def __init__(
        self, trade: Any, order: Any, stops: dict[int, float], broker: Any, plan_id: str
    ) -> None:
        self.data = trade.data
        self.plan_id = plan_id
        self.bar_start = iso_time(int(bar_of(trade.data).start))
        self.size = float(trade.size)
        self.price = float(trade.price)
        self.value = _point_value(broker, self.data)
        self.stop = stops.get(int(order.ref)) if order is not None else None
        self.planned_entry = self.price if order is None else _planned_entry(order)
        self.low = self.high = self.price
        self.mark()

    def mark(self) -> None:
        """Take the present bar's extremes."""
        self.low = min(self.low, float(self.data.low[0]))
        self.high = max(self.high, float(self.data.high[0]))

    def mark_between(self, rows: Any) -> None:
        """Take the extremes of some bars."""
        lows = np.frombuffer(self.data.lines.low.array)[rows]
        highs = np.frombuffer(self.data.lines.high.array)[rows]
        if len(lows):
            self.low = min(self.low, float(lows.min()))
            self.high = max(self.high, float(highs.max()))

    def row(self, trade: Any) -> dict[str, Any]:
        """Return the row of the trade that has just closed."""
        self.mark()
        quantity, side = abs(self.size), 1 if self.size > 0 else -1
        distance = None if self.stop is None else abs(self.planned_entry - self.stop)
        risk = distance * quantity * self.value if distance else None
        pnl = float(trade.pnlcomm)
        moves = ((self.low - self.price) * side, (self.high - self.price) * side)
        return {
            "plan_id": self.plan_id,
            "entry_bar": self.bar_start,
            "symbol": symbol_of(self.data),
            "side": "long" if side > 0 else "short",
            "quantity": quantity,
            "entry_time": iso_time(float_day_to_ns(trade.dtopen)),
            "exit_time": iso_time(float_day_to_ns(trade.dtclose)),
            "entry_price": self.price,
            "exit_price": self.price + float(trade.pnl) / (self.size * self.value),
            "stop": self.stop,
            "planned_risk": risk,
            "pnl": pnl,
            "r_multiple": None if risk is None else pnl / risk,
            "realised_risk": None if risk is None else max(-pnl, 0.0) / risk,
            "mae_r": None if distance is None else min(0.0, *moves) / distance,
            "mfe_r": None if distance is None else max(0.0, *moves) / distance,
        }


def _planned_entry(order: Any) -> float:
    given = order.info.get("planned_entry")
    if given is not None:
        return float(given)
    return float(order.created.pclose if order.exectype == bt.Order.Market else order.created.price)


def _ledger_row(trade: Trade) -> dict[str, Any]:
    """Return the row of a trade of our ledger."""
    risk = trade.planned_risk
    return {
        "entry_bar": iso_time(trade.entry_bar),
        "plan_id": trade.plan_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "quantity": trade.quantity,
        "entry_time": iso_time(trade.entry_time),
        "exit_time": iso_time(trade.exit_time),
        "entry_price": trade.entry_price,
        "exit_price": trade.exit_price,
        "stop": trade.stop,
        "planned_risk": risk,
        "pnl": trade.pnl,
        "r_multiple": trade.r_multiple,
        "realised_risk": None if risk is None else max(-trade.pnl, 0.0) / risk,
        "mae_r": trade.mae_r,
        "mfe_r": trade.mfe_r,
    }
