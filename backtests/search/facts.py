"""What the summary of every search says of its plan and account, the same of a sweep and a walk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtests.request import BacktestRequest

_OF_ACCOUNT = ("net_profit", "return_pct", "max_drawdown_pct")


def plan_facts(
    request: BacktestRequest, bars: int, first: str | None, last: str | None
) -> dict[str, Any]:
    """Return what was searched. first, last : the times it is about."""
    account, plan = request.accounts[0], request.plans[0]
    return {
        "plan_id": plan.plan_id,
        "strategy": plan.plan.strategy,
        "instrument": plan.instrument.symbol,
        "timeframe": plan.plan.timeframe,
        "synthetic": plan.synthetic,
        "bars": bars,
        "first": first,
        "last": last,
        "account": account.name,
        "currency": account.currency,
        "cash_start": account.cash,
    }


def result_rows(
    facts: Mapping[str, Any], figures: Mapping[str, Any], verdict: str
) -> dict[str, Any]:
    """Return the rows by which lists and comparisons of runs know a search: plans and accounts."""
    money = {name: figures.get(name) for name in _OF_ACCOUNT}
    return {
        "plans": [{**facts, **figures, "verdict": verdict}],
        "accounts": [{"account": facts["account"], "currency": facts["currency"], **money}],
    }
