"""Machines on the bundled made-up prices; run as a script it prints what they say, hashed."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

import strategies
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.instruments import get_instrument
from core.schedule import apply_flat_times
from feeds import load
from strategies.machine import Machine, Outcome, run_machine

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = {
    "gold_smc": ("xauusd_15m_synthetic.csv.gz", "XAUUSD", "15m"),
    "nifty_smc": ("nifty_fut_1m_synthetic.csv.gz", "NIFTY-FUT", "5m"),
    "breakout": ("xauusd_15m_synthetic.csv.gz", "XAUUSD", "15m"),
}
NAMES = tuple(FILES)


@lru_cache
def series(name: str) -> Series:
    """A strategy's sample bars, with its own flat times."""
    file, symbol, timeframe = FILES[name]
    loaded = load(DATA / file, symbol=symbol, timeframe=timeframe)
    cls = strategies.get(name)
    bars = loaded.bars.copy()
    apply_flat_times(
        bars, get_calendar(get_instrument(symbol).calendar), cls.flat_rules(cls.read({}))
    )
    return loaded.with_bars(bars)


@lru_cache
def dollar() -> Series:
    """The sample dollar index."""
    return load(DATA / "dxy_1h_synthetic.csv.gz", symbol="DXY")


def further(name: str) -> np.ndarray:
    """The further bars a strategy uses."""
    return dollar().bars if strategies.get(name).further else np.zeros(0, BAR)


def machine(name: str) -> Machine:
    """A strategy's machine with default settings, fresh."""
    cls = strategies.get(name)
    return cls.build_machine(cls.read({}), get_instrument(FILES[name][1]).facts(0).tick)


def outcome(name: str, count: int) -> Outcome:
    """What a machine says about the first bars; of the dollar only what is complete is given."""
    bars = series(name).bars[:count]
    other = further(name)
    other = other[other["end"] <= bars["end"][-1]] if count else other[:0]
    return run_machine(machine(name), bars, other, keep_born=True)


def numbers(records: np.ndarray) -> np.ndarray:
    """Every field of records as a row of floats; which NaN a NaN is does not count."""
    columns = [np.asarray(records[field], np.float64) for field in records.dtype.names or ()]
    table = np.stack(columns, axis=-1)
    table[np.isnan(table)] = np.nan
    return table


def digest(name: str, count: int) -> str:
    """A hash of every number a machine says."""
    said = outcome(name, count)
    parts = [numbers(said.facts).tobytes()]
    for index, rows in said.setups.items():
        parts += [str(index).encode(), numbers(rows).tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


if __name__ == "__main__":
    print(digest(sys.argv[1], int(sys.argv[2])))
