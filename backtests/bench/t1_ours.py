"""Task T1 in our engine, in a process of its own: `python -m backtests.bench.t1_ours JOB.json`.

Either the engine alone (feed, guard, broker, strategy: what stock Backtrader has too), or the whole
run as `backtest` makes it, with the analyzers of daily loss and trade risk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backtests.bench.peers.job import Answer, serve
from backtests.bench.t1_strategy import CASH, COMMISSION, MARGIN, MULTIPLIER, T1, answer_of

SYMBOL = "MGC"
_FACTS = {
    "tick": 0.01,
    "multiplier": MULTIPLIER,
    "margin_fixed": MARGIN,
    "margin_rate": 0.0,
    "commission_per_unit": COMMISSION,
    "exchange_per_unit": 0.0,
    "slippage_ticks": 0.0,
    "spread": 0.0,
}
"""The task's contract in place of the micro gold future's facts."""


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run.

    Parameters
    ----------
    folder : Path
        Holds `bars.npy`.
    options : dict
        fills, masked, whole, risk (a preset's name, None: no rules) and the strategy's own
        parameters.
    """
    from backtests.bench.t1_masked import MaskedT1
    from core.bars import BAR, Series
    from core.calendar import get_calendar
    from core.instruments import get_instrument
    from core.schedule import apply_flat_times
    from core.zones import NS_PER_MINUTE
    from risk.presets import get_preset

    params = dict(options)
    fills, masked, whole, risk = (params.pop(each) for each in ("fills", "masked", "whole", "risk"))
    instrument = get_instrument(SYMBOL, _FACTS)
    bars = np.load(folder / "bars.npy").view(BAR)
    schedule = apply_flat_times(bars, get_calendar(instrument.calendar), [])
    series = Series(SYMBOL, NS_PER_MINUTE, bars)
    strategy = MaskedT1 if masked else T1
    limits = () if risk is None else (get_preset(risk),)
    run = _whole_run if whole else _engine_alone

    def work() -> Answer:
        made, cerebro = run(strategy, params, series, instrument, schedule, fills, limits)
        note = f"no bar skipped: {cerebro.no_skipping}" if masked and cerebro.no_skipping else ""
        return answer_of(made, cerebro.broker.getvalue(), note)

    return work


def _engine_alone(
    strategy: Any, params: Any, series: Any, instrument: Any, _: Any, fills: str, limits: Any
) -> tuple[Any, Any]:
    from backtests.fills.broker import BacktestBroker
    from backtests.fills.stock import StockBroker
    from backtests.loop.cerebro import Cerebro
    from feeds import BulkData
    from risk.guard import Guard

    cerebro = Cerebro(stdstats=False)
    data = BulkData(series)
    cerebro.adddata(data)
    broker: Any = (StockBroker if fills == "backtrader" else BacktestBroker)(cash=CASH)
    broker.add_instrument(data, instrument, "t1")
    cerebro.setbroker(Guard(broker, *limits))
    cerebro.addstrategy(strategy, **params)
    (made,) = cerebro.run()
    return made, cerebro


def _whole_run(
    strategy: Any, params: Any, series: Any, instrument: Any, schedule: Any, fills: str, limits: Any
) -> tuple[Any, Any]:
    from backtests.engine import run_account
    from backtests.loading import LoadedPlan
    from backtests.request import AccountRequest, PlanRequest
    from backtests.verbs.progress import Progress
    from core.calendar import get_calendar
    from core.config import Plan, Settings
    from core.fx import constant_rate

    plan = Plan("t1", "T1", SYMBOL, "1m")
    rate = constant_rate("USD", "USD", 1.0)
    request = PlanRequest(plan, "t1", strategy, params, instrument, rate)
    account = AccountRequest("bench", "USD", CASH, (request,), limits)
    loaded = LoadedPlan(request, series, {}, get_calendar(instrument.calendar), schedule)
    silent = Progress(sys.stderr, False)
    run = run_account(account, [loaded], Settings(fills=fills), "worst", silent)
    made = run.plans[0].strategy
    return made, made.cerebro


if __name__ == "__main__":
    serve(prepare, "this version")
