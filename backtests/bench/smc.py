"""SMC readings against the library smartmoneyconcepts, on the same bars in one run.

Two comparisons. The ledgers of `indicators.peer` give that library's own tables, and the run
fails if one cell differs: same work, same answers. The causal blocks, which strategies use, are
timed with every zone kept, and each for itself in ns a bar.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from backtests.bench import Row, seconds
from core.compile import user_cache_folder
from core.errors import DataError
from indicators import (
    breakers,
    dealing_range,
    displacement,
    dxy,
    fvg,
    inducement,
    levels,
    liquidity,
    opening_range,
    order_blocks,
    peer,
    sessions,
    smt,
    structure,
    sweeps,
    swings,
    vwap,
)
from indicators.block import Block, pieces
from indicators.frame import bars_from_frame
from indicators.further import run_two

LIBRARY = "smartmoneyconcepts==0.0.27"
BARS = 200_000
REPEATS = 7
FOUR = ("swings", "fvg", "order_blocks", "structure")
SWINGS = {"mode": "peer", "left": 5, "right": 5}


def walk(bars: int, seed: int = 20_240_501) -> pd.DataFrame:
    """Return a seeded random walk of 15-minute bars, 8 steps a bar, prices near 2,000."""
    rng = np.random.default_rng(seed)
    calm = np.repeat(rng.choice([0.08, 0.15, 0.4], size=bars // 50 + 1), 50)[:bars]
    path = 2000 + np.cumsum((rng.normal(size=(bars, 8)) * calm[:, None]).ravel())
    path = path.reshape(bars, 8)
    open_ = np.r_[2000, path[:-1, -1]]
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, path.max(axis=1)),
            "low": np.minimum(open_, path.min(axis=1)),
            "close": path[:, -1],
            "volume": rng.integers(1, 1000, bars).astype(float),
        },
        index=pd.date_range("2015-01-01", periods=bars, freq="15min"),
    )
    return frame.round(2)


def ledgers(frame: pd.DataFrame) -> dict[str, Callable[[], pd.DataFrame]]:
    """Return our calls that give the library's nine tables."""
    swing = peer.swing_highs_lows(frame, 5)
    return {
        "swings": partial(peer.swing_highs_lows, frame, 5),
        "fvg": partial(peer.fvg, frame),
        "fvg_joined": partial(peer.fvg, frame, join_consecutive=True),
        "order_blocks": partial(peer.ob, frame, swing),
        "structure": partial(peer.bos_choch, frame, swing),
        "liquidity": partial(peer.liquidity, frame, swing, 0.001),
        "previous_high_low": partial(peer.previous_high_low, frame, "1D"),
        "sessions": partial(peer.sessions, frame, "London"),
        "retracements": partial(peer.retracements, frame, swing),
    }


BLOCKS: dict[str, tuple[Block, dict[str, Any]]] = {
    "swings": (swings.BLOCK, SWINGS),
    "structure": (structure.BLOCK, SWINGS),
    "fvg": (fvg.BLOCK, {"max_zones": None}),
    "order_blocks": (order_blocks.BLOCK, {**SWINGS, "max_blocks": None}),
    "breakers": (breakers.BLOCK, {}),
    "displacement": (displacement.BLOCK, {}),
    "sweeps": (sweeps.BLOCK, {}),
    "liquidity": (liquidity.BLOCK, {}),
    "inducement": (inducement.BLOCK, {}),
    "dealing_range": (dealing_range.BLOCK, {}),
    "levels": (levels.BLOCK, {}),
    "sessions": (sessions.BLOCK, {}),
    "opening_range": (opening_range.BLOCK, {}),
    "vwap": (vwap.BLOCK, {}),
}
"""Causal blocks by name, each with what it reads (order_blocks: swings, structure, ATR)."""
CAUSAL_FOUR: dict[str, tuple[Block, dict[str, Any]]] = {
    "fvg": (fvg.BLOCK, {"max_zones": None, "mitigation": "touch", "inversion": False}),
    "order_blocks": BLOCKS["order_blocks"],
}
"""The four primitives as strategies run them, gaps followed to their touch as the library does."""
TWO_SERIES: dict[str, Block] = {"dxy": dxy.BLOCK, "smt": smt.BLOCK}


def _run_block(block: Block, bars: Any, values: dict[str, Any]) -> None:
    params = block.read_params(values)
    for _ in pieces(block, bars, params, block.state(params, len(bars))):
        pass


def _causal_seconds(bars: Any, blocks: Iterable[tuple[Block, dict[str, Any]]]) -> float:
    calls = [partial(_run_block, block, bars, values) for block, values in blocks]
    for call in calls:
        call()
    return sum(seconds(call, REPEATS) for call in calls)


def _ledger_seconds(frame: pd.DataFrame) -> dict[str, float]:
    calls = ledgers(frame)
    for call in calls.values():
        call()
    return {name: seconds(call, REPEATS) for name, call in calls.items()}


def _peer_python() -> Path | None:
    """Return the library's own interpreter, installed into the cache folder; None if it fails."""
    folder = user_cache_folder() / "bench" / LIBRARY.replace("==", "-")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", LIBRARY], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as cause:
        print(f"{LIBRARY} could not be installed, rows without a peer: {cause}", file=sys.stderr)
        return None
    return python


def _peer_seconds(frame: pd.DataFrame) -> dict[str, float]:
    """Return the library's times by function and check that our ledgers give its tables."""
    python = _peer_python()
    if python is None:
        return {}
    with tempfile.TemporaryDirectory() as place:
        prices, answers = Path(place) / "prices.npz", Path(place) / "answers.npz"
        columns: dict[str, Any] = {name: frame[name].to_numpy() for name in frame.columns}
        np.savez(prices, stamps=frame.index.to_numpy(), **columns)
        script = Path(__file__).with_name("_peer_smc.py")
        done = subprocess.run(
            [python, "-W", "ignore", script, prices, answers],
            check=True,
            capture_output=True,
            text=True,
            cwd=place,
        )
        with np.load(answers) as stored:
            check_equal(frame, {name: stored[name] for name in stored.files})
    return {name: median(taken) for name, taken in json.loads(done.stdout.splitlines()[-1]).items()}


def check_equal(frame: pd.DataFrame, answers: dict[str, Any]) -> None:
    """Compare our ledgers with the library's tables, cell by cell.

    Raises
    ------
    DataError : naming function, column and row of the first difference beyond float32 rounding.
    """
    tables = {name: call() for name, call in ledgers(frame).items()}
    for name, theirs in answers.items():
        function, _, column = name.partition("/")
        ours = tables[function][column].to_numpy(float)
        wanted = np.asarray(theirs, float)
        same = (np.isnan(ours) & np.isnan(wanted)) | (np.abs(ours - wanted) <= 1e-6 * abs(wanted))
        if not same.all():
            row = int(np.flatnonzero(~same)[0])
            raise DataError(f"{name} row {row}: ours {ours[row]}, theirs {wanted[row]}")


def measure() -> Iterator[Row]:
    """Yield the comparisons, ns a bar of each block, and how time grows with bars."""
    frame = walk(BARS)
    bars = bars_from_frame(frame)
    ours = _ledger_seconds(frame)
    causal = _causal_seconds(bars, CAUSAL_FOUR.values())
    theirs = _peer_seconds(frame)
    again = _ledger_seconds(frame)
    ours = {name: median([ours[name], again[name]]) for name in ours}
    rules = "200k bars, CPU s, medians, equal tables checked, all zones kept"
    for task, names, target in (
        ("smc_four_200k", FOUR, 1000.0),
        ("smc_nine_200k", tuple(ours), 500.0),
    ):
        mine, other = sum(ours[n] for n in names), sum(theirs.get(n, 0.0) for n in names)
        yield Row(task, "seconds", mine, other or None, LIBRARY, target, rules)
    other = sum(theirs.get(name, 0.0) for name in FOUR)
    rules = (
        "swings, structure, order blocks and gaps (to their touch) as causal blocks, all zones kept"
    )
    yield Row("smc_four_causal_200k", "seconds", causal, other or None, LIBRARY, None, rules)
    yield from _each_block(frame)
    yield from _growth(ours, causal)


def _each_block(frame: pd.DataFrame) -> Iterator[Row]:
    bars = bars_from_frame(frame)
    rules = "one causal block with what it reads, 200k bars"
    for name, made in BLOCKS.items():
        taken = _causal_seconds(bars, [made])
        yield Row(f"smc_block_{name}", "ns_per_bar", taken / len(bars) * 1e9, rules=rules)
    further = bars_from_frame(walk(len(frame) // 4, 7).set_axis(frame.index[::4], axis=0))
    for name, block in TWO_SERIES.items():
        call = partial(run_two, block, bars, further, block.read_params({}))
        call()
        taken = seconds(call, REPEATS)
        yield Row(f"smc_block_{name}", "ns_per_bar", taken / len(bars) * 1e9, rules=rules)


def _growth(ours: dict[str, float], causal: float) -> Iterator[Row]:
    double = walk(2 * BARS)
    rules = "time of 400k bars over time of 200k, at most 2.2"
    ledger_growth = sum(_ledger_seconds(double).values()) / sum(ours.values())
    yield Row("smc_growth_ledgers", "ratio", ledger_growth, target=2.2, rules=rules)
    twice = _causal_seconds(bars_from_frame(double), CAUSAL_FOUR.values())
    yield Row("smc_growth_causal", "ratio", twice / causal, target=2.2, rules=rules)
