"""Whole paper sessions over made-up minute bars: the real thing, from the lock to the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backtests.bench.walk import t1_bars
from backtests.loading import LoadedPlan
from backtests.request import AccountRequest, PlanRequest
from core.bars import Series
from core.calendar import get_calendar
from core.config import Plan
from core.fx import constant_rate
from core.instruments import fill_spread, get_instrument
from core.schedule import apply_flat_times
from core.zones import NS_PER_MINUTE
from live.account_folder import AccountFolder
from live.build import SessionTerms
from live.session import SessionRequest
from risk.settings import RiskSettings

SYMBOL = "MGC"
CASH = 1_000_000.0
LIMITS = RiskSettings(
    name="bench", daily_loss=500_000.0, trade_risk=100_000.0, max_quantity=50.0,
    max_open_risk=200_000.0,
)  # fmt: skip
"""Rules that look at every order and every price and refuse nothing."""


def session_request(
    strategies: list[type[Any]],
    count: int,
    folder: Path,
    terms: SessionTerms | None = None,
    seconds: float | None = None,
    at_end: str = "keep",
) -> SessionRequest:
    """Return a session of as many plans as strategies, each on minute bars of its own."""
    loaded = [
        loaded_plan(strategy, f"p{place}", count, seed=20_240_501 + place)
        for place, strategy in enumerate(strategies)
    ]
    plans = tuple(item.request for item in loaded)
    account = AccountRequest("bench", "USD", CASH, plans, (LIMITS,))
    return SessionRequest(
        account, loaded, [[] for _ in plans], terms or SessionTerms(),
        AccountFolder("bench", folder), seconds=seconds, at_end=at_end,
    )  # fmt: skip


def loaded_plan(
    strategy: type[Any], plan_id: str, count: int, seed: int = 1, symbol: str = SYMBOL
) -> LoadedPlan:
    """Return a plan of a strategy with so many made-up minute bars, in its own currency."""
    instrument = get_instrument(symbol)
    currency = instrument.quote_currency
    plan = PlanRequest(
        Plan(plan_id, strategy.__name__, symbol, "1m"), plan_id, strategy, {}, instrument,
        constant_rate(currency, currency, 1.0), synthetic=True,
    )  # fmt: skip
    calendar, bars = get_calendar(instrument.calendar), t1_bars(count, seed)
    fill_spread(bars, instrument)
    schedule = apply_flat_times(bars, calendar, [])
    return LoadedPlan(plan, Series(symbol, NS_PER_MINUTE, bars), {}, calendar, schedule)
