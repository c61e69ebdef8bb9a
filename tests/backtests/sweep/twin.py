"""Runs a parameter set both ways, compiled and in Backtrader, and compares every field."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import strategies
from backtests.engine import AccountRun, run_account
from backtests.loading import LoadedPlan
from backtests.request import AccountRequest, PlanRequest
from backtests.runner import flats_of
from backtests.sweep import Results, run
from backtests.sweep.market import make_market
from backtests.sweep.prepared import Prepared
from backtests.verbs.progress import Progress
from core.bars import Series
from core.calendar import get_calendar
from core.config import Plan, Settings
from core.fx import constant_rate
from core.instruments import Instrument
from core.ledger import Trade
from core.schedule import apply_flat_times
from risk.settings import RiskSettings, from_mapping

EXACT = 1e-9
"""Money and ratios may differ by so much: sums of the same floats, added in the same order."""


@dataclass(frozen=True)
class Case:
    """One market and account, run both ways. `limits` None: the strategy's own."""

    strategy: str
    series: Series
    instrument: Instrument
    cash: float
    further: Series | None = None
    limits: RiskSettings | None = None
    intrabar: str = "worst"
    limit_fill: str = "touch"
    volume_share: float | None = None
    fills: str = "tola"

    @property
    def kind(self) -> Any:
        """The strategy class."""
        return strategies.get(self.strategy)


def prepared(case: Case) -> Prepared:
    """Make a case ready for the compiled engine."""
    lower = case.series.lower
    market = make_market(
        case.series.bars,
        case.instrument,
        get_calendar(case.instrument.calendar),
        case.cash,
        fx=constant_rate("USD", "USD", 1.0),
        further=None if case.further is None else case.further.bars,
        lower=lower.bars if lower is not None and case.intrabar == "drill" else None,
        limits=case.limits,
        intrabar=case.intrabar,
        limit_fill=case.limit_fill,  # type: ignore[arg-type]
        volume_share=case.volume_share,
        is_stock=case.fills == "backtrader",
    )
    return Prepared(case.kind, case.kind.read({}), "plan", "USD", market)


def in_backtrader(case: Case, given: Mapping[str, Any]) -> AccountRun:
    """Run one parameter set as `backtest` does."""
    kind = case.kind
    values = kind.read(given)
    rate = constant_rate("USD", "USD", 1.0)
    params = {**values, "plan_id": "plan", "instrument": case.instrument, "fx": rate}
    plan = Plan("plan", case.strategy, case.instrument.symbol, "1m")
    asked = PlanRequest(plan, "plan", kind, params, case.instrument, rate)
    limits = case.limits
    if limits is None:
        own = kind.default_rules(values)
        limits = from_mapping({**own, "plan": "plan"}, name="plan") if own else None
    account = AccountRequest(
        "account", "USD", case.cash, (asked,), () if limits is None else (limits,)
    )
    calendar = get_calendar(case.instrument.calendar)
    bars = case.series.bars.copy()
    schedule = apply_flat_times(bars, calendar, flats_of(asked, account))
    further = {} if case.further is None else {case.further.symbol: case.further}
    loaded = LoadedPlan(asked, case.series.with_bars(bars), further, calendar, schedule)
    settings = Settings(
        fills=case.fills,
        intrabar=case.intrabar,
        limit_fill=case.limit_fill,
        volume_share=case.volume_share,
    )
    return run_account(account, [loaded], settings, case.intrabar, Progress(io.StringIO()))


def differences(found: Sequence[Trade], wanted: Sequence[Trade]) -> list[str]:
    """Return where two lists of trades differ, every field of trades.csv looked at."""
    lines = []
    if len(found) != len(wanted):
        lines.append(f"{len(found)} trades, in Backtrader {len(wanted)}")
    for one, other in zip(found, wanted, strict=False):
        for field in fields(Trade):
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            if isinstance(ours, float) and isinstance(theirs, float):
                same = abs(ours - theirs) <= EXACT * max(1.0, abs(theirs))
            else:
                same = ours == theirs
            if not same:
                lines.append(f"trade {other.trade_id} {field.name}: {ours}, not {theirs}")
    return lines


def compare(case: Case, table: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """Run a table both ways; return how many trades were compared, and every difference."""
    results = run(prepared(case), table, keep_trades=True, keep_curve=True)
    compared, lines = 0, []
    for place, given in enumerate(table):
        done = in_backtrader(case, given)
        wanted = done.broker.ledger.trades
        found = differences(results.trades(place), wanted)
        found += _fates(results, place, done)
        equity = float(done.broker.getvalue())
        ended = float(results.outcomes[place].summary["equity_end"])
        if abs(ended - equity) > EXACT * equity:
            found.append(f"equity {ended}, not {equity}")
        lines += [f"{dict(given)}: {line}" for line in found]
        compared += len(wanted)
    return compared, lines


def _fates(results: Results, place: int, done: AccountRun) -> list[str]:
    """Compare what became of each setup."""
    rows = done.plans[0].strategy.setups_log
    fates = results.fates(place)
    if len(rows) != len(fates):
        return [f"{len(fates)} setups, in Backtrader {len(rows)}"]
    lines = []
    for number, (row, fate) in enumerate(zip(rows, fates, strict=True)):
        wanted = {"taken": row.taken, "reason": row.reason, "cancel": row.cancel,
                  "filled": row.filled}  # fmt: skip
        if fate != wanted:
            lines.append(f"setup {number}: {fate}, not {wanted}")
    return lines
