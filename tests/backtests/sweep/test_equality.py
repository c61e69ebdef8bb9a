"""Compiled runs against Backtrader's on real prices: every field of every trade.

`TOLA_SWEEP_SETS` sets how many random parameter sets are compared (300 for a full proof).
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from core.instruments import get_instrument
from feeds import load
from tests.backtests.sweep.tables import DRAW, limits
from tests.backtests.sweep.twin import Case, compare
from tests.conftest import SHARED
from tests.strategies.reference import NO_COSTS

SETS = int(os.environ.get("TOLA_SWEEP_SETS", "7"))
SEED = int(os.environ.get("TOLA_SWEEP_SEED", "20240501"))
DATA = SHARED / "data"
BARS = int(os.environ.get("TOLA_SWEEP_BARS", "6000" if SETS <= 30 else "0"))
"""Last bars of each file that are run; 0: all."""

NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"
FILES = {
    "xauusd_5m": ("gold_smc", "xauusd_5m", "5m", "UTC", NEW_YORK),
    "xauusd_15m": ("gold_smc", "xauusd_15m", "15m", "UTC", NEW_YORK),
    "xauusd_drill": ("gold_smc", "xauusd_1m", "5m", "UTC", NEW_YORK),
    "nifty_3m": ("nifty_smc", "nifty50_1m", "3m", KOLKATA, KOLKATA),
    "nifty_5m": ("nifty_smc", "nifty50_1m", "5m", KOLKATA, KOLKATA),
    "breakout_1h": ("breakout", "gc_fut_1h", "1h", "UTC", NEW_YORK),
    "breakout_5m": ("breakout", "xauusd_5m", "5m", "UTC", NEW_YORK),
}
COSTS: dict[str, tuple[dict[str, Any], ...]] = {
    "gold_smc": (NO_COSTS, {}, {"spread": 0.35, "slippage_ticks": 2, "margin_fixed": 4000.0}),
    "nifty_smc": (NO_COSTS, {}, {"slippage_ticks": 3, "lot": 50, "spread": 0.5}),
    "breakout": (NO_COSTS, {}, {"spread": 0.2, "slippage_ticks": 1}),
}
SYMBOLS = {"gold_smc": ("XAUUSD", "MGC"), "nifty_smc": ("NIFTY-FUT",), "breakout": ("MGC",)}
CASH = {"gold_smc": 100_000.0, "nifty_smc": 2_000_000.0, "breakout": 100_000.0}


@lru_cache
def series(file: str, symbol: str, timeframe: str, tz: str) -> Any:
    """Load a file's last bars, the finer ones with them."""
    loaded = load(DATA / f"{file}.csv.gz", symbol=symbol, timeframe=timeframe, tz=tz, stamp="start")
    return replace(loaded, bars=loaded.bars[-BARS:]) if BARS else loaded


@lru_cache
def dollar() -> Any:
    """Load the dollar index."""
    return load(DATA / "dxy_1h.csv.gz", symbol="DXY", tz="UTC", stamp="start")


def draw(name: str, chance: random.Random) -> tuple[Case, dict[str, Any]]:
    """Draw a case on a file and one parameter set for it."""
    strategy, file, timeframe, tz, zone = FILES[name]
    symbol = chance.choice(SYMBOLS[strategy])
    facts = chance.choice(COSTS[strategy])
    bars = series(file, symbol, timeframe, tz)
    is_drill = name.endswith("drill")
    case = Case(
        strategy,
        bars,
        get_instrument(symbol, facts),
        CASH[strategy],
        further=dollar() if strategy == "gold_smc" and chance.random() < 0.8 else None,
        limits=limits(chance, zone),
        intrabar="drill" if is_drill else chance.choice(("worst", "best", "nearest")),
        limit_fill=chance.choice(("touch", "touch", "through")),
        volume_share=chance.choice((None, None, None, 0.05)),
    )
    given = DRAW[strategy](chance)
    if not is_drill and chance.random() < 0.25:
        case = replace(
            case, fills="backtrader", intrabar="worst", limit_fill="touch", volume_share=None
        )
        given["legs"] = ""
    return case, given


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("real_data")
def test_random_sets_give_the_trades_of_a_backtrader_run(name, capsys):
    chance = random.Random(f"{SEED}{name}")
    count = max(1, SETS // len(FILES))
    compared, lines = 0, []
    for _ in range(count):
        case, given = draw(name, chance)
        trades, found = compare(case, [given])
        compared += trades
        lines += [f"{line} [{case.instrument.symbol} {case.fills} {case.intrabar} {case.limits}]"
                  for line in found[:3]]  # fmt: skip

    with capsys.disabled():
        print(f"\n{name}: {count} sets, {compared} trades, {len(lines)} differences")
    assert not lines, "\n".join(lines[:10])
