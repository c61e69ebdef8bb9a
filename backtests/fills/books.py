"""The books of a run's accounts as columns: each fill and each night's cost, in full precision.

`core.results.LEDGER_COLUMNS` names the columns; exports and comparisons read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backtests.engine import AccountRun, PlanRun
from core.costs import COST_KINDS
from core.ledger import HoldingCost, TradeFill
from core.results import COST_PREFIX, LEDGER_COLUMNS

Array = np.ndarray[Any, np.dtype[Any]]


def ledger_columns(runs: Sequence[AccountRun]) -> dict[str, Array]:
    """Return the books of all accounts; trade ids go on from one account to the next."""
    parts, before = [], 0
    for run in runs:
        ledger = run.broker.ledger
        rates = _Rates(run.plans)
        parts.append(_fills(ledger.fills, run.request.name, before, rates))
        parts.append(_holding(ledger.holding, run.request.name, before))
        before += max((fill.trade_id for fill in ledger.fills), default=0)
    kinds = sorted({name for part in parts for name in part if name.startswith(COST_PREFIX)})
    known = [COST_PREFIX + kind for kind in COST_KINDS]
    kinds.sort(key=lambda name: known.index(name) if name in known else len(known))
    return {
        name: np.concatenate([part.get(name, _nothing(part)) for part in parts])
        for name in (*LEDGER_COLUMNS, *kinds)
    }


def _nothing(part: dict[str, Array]) -> Array:
    return np.zeros(len(part["time"]))


class _Rates:
    """Account money per quote money of fills: their point value by the multiplier of the day."""

    def __init__(self, plans: Sequence[PlanRun]) -> None:
        self._plans = {plan.plan_id: plan for plan in plans}

    def of(self, fills: Sequence[TradeFill]) -> Array:
        """Return one rate a fill, NaN where its plan traded a feed that is no plan's."""
        starts = np.array([fill.bar_start for fill in fills], np.int64)
        rates = np.array([fill.point_value for fill in fills], np.float64)
        plan_ids = np.array([fill.plan_id for fill in fills], object)
        for plan_id in set(plan_ids.tolist()):
            mine = plan_ids == plan_id
            rates[mine] /= self._multipliers(plan_id, starts[mine])
        return rates

    def _multipliers(self, plan_id: str, starts: Array) -> Array:
        plan = self._plans.get(plan_id)
        if plan is None:
            return np.full(len(starts), np.nan)
        days, which = np.unique(plan.loaded.calendar.trading_days(starts), return_inverse=True)
        instrument = plan.loaded.request.instrument
        found = np.array([instrument.facts(int(day)).multiplier for day in days], np.float64)
        return np.asarray(found[which])


def _fills(
    fills: Sequence[TradeFill], account: str, before: int, rates: _Rates
) -> dict[str, Array]:
    count = len(fills)
    columns: dict[str, Array] = {
        "account": np.full(count, account, object),
        "plan_id": np.array([fill.plan_id for fill in fills], object),
        "trade_id": np.array([fill.trade_id for fill in fills], np.int64) + before,
        "leg": np.array([fill.leg for fill in fills], np.int64),
        "order_id": np.array([fill.order_id for fill in fills], np.int64),
        "time": np.array([fill.time for fill in fills], np.int64),
        "bar": np.array([fill.bar_start for fill in fills], np.int64),
        "side": np.array([fill.side for fill in fills], object),
        "quantity": np.array([fill.quantity for fill in fills], np.float64),
        "price": np.array([fill.price for fill in fills], np.float64),
        "reason": np.array([fill.reason for fill in fills], object),
        "gross": np.array([fill.gross for fill in fills], np.float64),
        "point_value": np.array([fill.point_value for fill in fills], np.float64),
        "rate": rates.of(fills),
    }
    for kind in {kind for fill in fills for kind in fill.charges}:
        paid = [fill.charges.get(kind, 0.0) for fill in fills]
        columns[COST_PREFIX + kind] = np.array(paid, np.float64)
    return columns


def _holding(costs: Sequence[HoldingCost], account: str, before: int) -> dict[str, Array]:
    count = len(costs)
    nothing = np.full(count, np.nan)
    trade_ids = [0 if cost.trade_id is None else cost.trade_id + before for cost in costs]
    times = np.array([cost.time for cost in costs], np.int64)
    columns: dict[str, Array] = {
        "account": np.full(count, account, object),
        "plan_id": np.array([cost.plan_id for cost in costs], object),
        "trade_id": np.array(trade_ids, np.int64),
        "leg": np.full(count, -1, np.int64),
        "order_id": np.zeros(count, np.int64),
        "time": times,
        "bar": times,
        "side": np.full(count, "", object),
        "quantity": nothing,
        "price": nothing,
        "reason": np.array([cost.kind for cost in costs], object),
        "gross": np.zeros(count),
        "point_value": nothing,
        "rate": nothing,
    }
    kinds = np.array([cost.kind for cost in costs], object)
    money = np.array([cost.money for cost in costs], np.float64)
    for kind in set(kinds.tolist()):
        columns[COST_PREFIX + kind] = np.where(kinds == kind, money, 0.0)
    return columns
