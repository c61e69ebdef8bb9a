"""The five reference runs: their inputs, their expected rows, and how rows are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

import strategies
from core.bars import Series
from core.calendar import get_calendar
from core.costs import COST
from core.instruments import get_instrument
from core.schedule import apply_flat_times
from feeds import load
from strategies.machine import Machine, run_machine
from strategies.words import PATTERNS

NO_COSTS: dict[str, Any] = {
    "spread": 0.0,
    "slippage_ticks": 0,
    "margin_rate": 0.0,
    "margin_fixed": 0.0,
    **dict.fromkeys(set(COST.names or ()) - {"swap_triple_weekday"}, 0.0),
}
"""Facts that make an instrument free to trade and bind no margin."""


@dataclass(frozen=True)
class Run:
    """One reference run. `counts` are those section 17.4b prints."""

    file: str
    symbol: str
    timeframe: str
    strategy: str
    cash: float
    tz: str = "UTC"
    further: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    bars: int = 0
    setups: int = 0
    taken: int = 0
    trades: int = 0
    winners: int = 0
    mean_r: float = 0.0
    equity_end: float = 0.0
    funnel: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The answer files' stem."""
        return f"{self.file}_{self.timeframe}_{self.strategy}"

    def __hash__(self) -> int:
        return hash(self.name)


def _gold_counts(*numbers: int) -> dict[str, int]:
    names = (
        "sweeps",
        "sweep_bars",
        "both_sided",
        "shifts",
        "no_zone",
        "risk",
        "emitted_sweep_choch",
        "breaker_completions",
        "emitted_breaker",
    )
    return dict(zip(names, numbers, strict=True))


def _nifty_counts(*numbers: int) -> dict[str, int]:
    return dict(zip(("sweeps", "both_sided", "breaks", "risk"), numbers, strict=True))


def _gold(file: str, timeframe: str, **known: Any) -> Run:
    return Run(file, "XAUUSD", timeframe, "gold_smc", 100_000.0, further="dxy_1h", **known)


def _nifty(timeframe: str, **known: Any) -> Run:
    return Run(
        "nifty50_1m",
        "NIFTY-FUT",
        timeframe,
        "nifty_smc",
        2_000_000.0,
        tz="Asia/Kolkata",
        overrides={"lot": 75, "tick": 0.05, "freeze_quantity": 0},
        **known,
    )


RUNS = (
    _gold(
        "xauusd_15m",
        "15m",
        bars=61_574,
        setups=281,
        taken=148,
        trades=104,
        winners=45,
        mean_r=0.1375,
        equity_end=107_127.76,
        funnel=_gold_counts(2275, 1931, 37, 171, 43, 5, 123, 324, 158),
    ),
    _gold(
        "xauusd_5m",
        "5m",
        bars=58_230,
        setups=187,
        taken=137,
        trades=101,
        winners=42,
        mean_r=0.2251,
        equity_end=111_692.92,
        funnel=_gold_counts(1286, 1182, 7, 105, 27, 1, 77, 196, 110),
    ),
    _nifty(
        "5m",
        bars=38_552,
        setups=263,
        taken=176,
        trades=84,
        winners=28,
        mean_r=-0.0553,
        equity_end=1_942_253.75,
        funnel=_nifty_counts(951, 12, 334, 70),
    ),
    _nifty(
        "3m",
        bars=64_244,
        setups=293,
        taken=174,
        trades=80,
        winners=30,
        mean_r=0.1198,
        equity_end=2_067_207.50,
        funnel=_nifty_counts(983, 5, 394, 98),
    ),
    Run(
        "gc_fut_1h",
        "MGC",
        "1h",
        "breakout",
        100_000.0,
        bars=11_400,
        setups=376,
        taken=309,
        trades=308,
        winners=103,
        mean_r=0.0207,
        equity_end=100_539.00,
    ),
)


@lru_cache
def series_of(run: Run, data: Path) -> Series:
    """Load a run's bars, with the strategy's own flat times."""
    series = load(
        data / f"{run.file}.csv.gz",
        symbol=run.symbol,
        timeframe=run.timeframe,
        tz=run.tz,
        stamp="start",
    )
    cls = strategies.get(run.strategy)
    calendar = get_calendar(get_instrument(run.symbol).calendar)
    bars = series.bars.copy()
    apply_flat_times(bars, calendar, cls.flat_rules(cls.read({})))
    return series.with_bars(bars)


@lru_cache
def further_of(run: Run, data: Path) -> Series | None:
    """Load a run's dollar index, if it has one."""
    if run.further is None:
        return None
    return load(data / f"{run.further}.csv.gz", symbol="DXY", tz="UTC", stamp="start")


@lru_cache
def answers(run: Run, data: Path, kind: str) -> pd.DataFrame:
    """Read the expected `setups` or `trades` of a run."""
    suffix = "_setups" if kind == "setups" else ""
    return pd.read_csv(data / "reference-trades" / f"{run.name}{suffix}.csv", na_filter=False)


def machine_of(run: Run) -> Machine:
    """The run's machine, fresh."""
    cls = strategies.get(run.strategy)
    facts = get_instrument(run.symbol, run.overrides).facts(0)
    return cls.build_machine(cls.read({}), facts.tick)


def iso(time_ns: int) -> str:
    """A UTC time as the answer files write it."""
    return pd.Timestamp(time_ns).strftime("%Y-%m-%dT%H:%M:%SZ")


def emitted(run: Run, data: Path) -> tuple[Machine, list[tuple[Any, ...]]]:
    """Run a machine over its file; return it and (bar, side, entry, stop, pattern) rows."""
    machine = machine_of(run)
    bars = series_of(run, data).bars
    other = further_of(run, data)
    outcome = run_machine(machine, bars, None if other is None else other.bars)
    rows = [
        (
            iso(bars[index]["start"]),
            "long" if setup["direction"] > 0 else "short",
            round(float(setup["entry"]), 6),
            float(setup["stop"]),
            PATTERNS[setup["pattern"]],
        )
        for index, setups in outcome.setups.items()
        for setup in setups
    ]
    return machine, rows


def expected_setups(run: Run, data: Path) -> list[tuple[Any, ...]]:
    """The answer file's setups as `emitted` writes them."""
    table = answers(run, data, "setups")
    columns = ("bar", "side", "entry", "stop", "pattern")
    return [tuple(row) for row in table[list(columns)].itertuples(index=False)]
