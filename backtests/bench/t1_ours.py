"""Task T1 as a user's run makes it: `run_account` with guard, broker, daily and trade analyzers.

Runs as a process of its own, like each peer: `python -m backtests.bench.t1_ours JOB.json`.
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
        fills, masked, risk (a preset's name, None: no rules) and the strategy's own parameters.
    """
    from backtests.bench.t1_masked import MaskedT1
    from backtests.engine import run_account
    from backtests.loading import LoadedPlan
    from backtests.progress import Progress
    from backtests.request import AccountRequest, PlanRequest
    from core.bars import BAR, Series
    from core.calendar import get_calendar
    from core.config import Plan, Settings
    from core.fx import constant_rate
    from core.instruments import get_instrument
    from core.schedule import apply_flat_times
    from core.zones import NS_PER_MINUTE
    from risk.presets import get_preset

    given = dict(options)
    fills, masked, risk = (given.pop(name) for name in ("fills", "masked", "risk"))
    instrument = get_instrument(SYMBOL, _FACTS)
    bars = np.load(folder / "bars.npy").view(BAR)
    calendar = get_calendar(instrument.calendar)
    schedule = apply_flat_times(bars, calendar, [])
    series = Series(SYMBOL, NS_PER_MINUTE, bars)
    settings = Settings(fills=fills)

    def work() -> Answer:
        plan = Plan("t1", "T1", SYMBOL, "1m")
        request = PlanRequest(
            plan, "t1", MaskedT1 if masked else T1, given, instrument,
            constant_rate("USD", "USD", 1.0),
        )  # fmt: skip
        limits = () if risk is None else (get_preset(risk),)
        account = AccountRequest("bench", "USD", CASH, (request,), limits)
        loaded = LoadedPlan(request, series, {}, calendar, schedule)
        run = run_account(account, [loaded], settings, "worst", Progress(sys.stderr, False))
        return answer_of(run.plans[0].strategy, run.broker.getvalue())

    return work


if __name__ == "__main__":
    serve(prepare, "this version")
