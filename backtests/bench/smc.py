"""SMC readings against the library smartmoneyconcepts, on the same bars in one run.

Two comparisons. The ledgers of `indicators.peer` give that library's own tables, and the run
fails if one cell differs: same work, same answers. The causal blocks, which strategies use, are
timed with every zone kept, and each for itself in ns a bar.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from backtests.bench import Row, Task, seconds
from backtests.bench.environments import SMARTMONEY, PeerMissing
from backtests.bench.session import ROOT, Session
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

TASKS = (
    Task("smc_four_200k", "the four tables, equal cell by cell", "1000x"),
    Task("smc_nine_200k", "all nine tables, equal cell by cell", "500x"),
    Task("smc_four_causal_200k", "the four primitives as strategies run them, causal"),
    Task("smc_blocks", "ns a bar of each causal block (rows smc_block_...)"),
    Task("smc_growth", "time of twice the bars over that of once (two rows)", "2.2"),
)
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


def _peer_seconds(frame: pd.DataFrame, session: Session) -> dict[str, float]:
    """Return the library's times by function and check that our ledgers give its tables."""
    python = session.python_of(SMARTMONEY)
    session.tell(f"{SMARTMONEY.title}, nine functions")
    with tempfile.TemporaryDirectory() as place:
        prices, answers = Path(place) / "prices.npz", Path(place) / "answers.npz"
        columns: dict[str, Any] = {name: frame[name].to_numpy() for name in frame.columns}
        np.savez(prices, stamps=frame.index.to_numpy(), **columns)
        script = ("-m", "backtests.bench.peers.smartmoney", prices, answers)
        done = subprocess.run(
            [python, "-W", "ignore", *script],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
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


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield the comparisons, ns a bar of each block, and how time grows with bars."""
    count = session.size(200_000, 10_000)
    frame = walk(count)
    bars = bars_from_frame(frame)
    session.tell(f"smart money blocks, {count:,} bars")
    if {task.name for task in TASKS[:3]} & wanted:
        yield from _against_peer(frame, bars, session, wanted)
    if "smc_blocks" in wanted:
        yield from _each_block(frame)
    if "smc_growth" in wanted:
        yield from _growth(frame)


def _against_peer(
    frame: pd.DataFrame, bars: Any, session: Session, wanted: frozenset[str]
) -> Iterator[Row]:
    ours = _ledger_seconds(frame)
    causal = _causal_seconds(bars, CAUSAL_FOUR.values())
    try:
        theirs = _peer_seconds(frame, session)
    except PeerMissing as cause:
        for task in TASKS[:3]:
            if task.name in wanted:
                yield Row(task.name, "seconds", skipped=str(cause))
        return
    again = _ledger_seconds(frame)
    ours = {name: median([ours[name], again[name]]) for name in ours}
    equal = "CPU s, medians, equal tables checked, all zones kept"
    steps = "CPU s; swings, structure, order blocks, gaps to their touch; causal, all zones kept"
    for name, functions, mine, target, rules in (
        ("smc_four_200k", FOUR, None, 1000.0, equal),
        ("smc_nine_200k", tuple(ours), None, 500.0, equal),
        ("smc_four_causal_200k", FOUR, causal, None, steps),
    ):
        if name in wanted:
            taken = sum(ours[each] for each in functions) if mine is None else mine
            other = sum(theirs[each] for each in functions)
            title = SMARTMONEY.title
            yield Row(name, "seconds", taken, other, title, target, rules, bars=len(frame))


def _each_block(frame: pd.DataFrame) -> Iterator[Row]:
    bars = bars_from_frame(frame)
    rules = "one causal block with what it reads, CPU"
    for name, made in BLOCKS.items():
        taken = _causal_seconds(bars, [made])
        yield Row(f"smc_block_{name}", "ns_per_bar", taken / len(bars) * 1e9, rules=rules)
    further = bars_from_frame(walk(len(frame) // 4, 7).set_axis(frame.index[::4], axis=0))
    for name, block in TWO_SERIES.items():
        call = partial(run_two, block, bars, further, block.read_params({}))
        call()
        taken = seconds(call, REPEATS)
        yield Row(f"smc_block_{name}", "ns_per_bar", taken / len(bars) * 1e9, rules=rules)


def _growth(frame: pd.DataFrame) -> Iterator[Row]:
    double = walk(2 * len(frame))
    rules = f"time of {len(double):,} bars over time of {len(frame):,}"
    ledgers_ = [sum(_ledger_seconds(each).values()) for each in (double, frame)]
    yield Row("smc_growth_ledgers", "ratio", ledgers_[0] / ledgers_[1], at_most=2.2, rules=rules)
    causal = [
        _causal_seconds(bars_from_frame(each), CAUSAL_FOUR.values()) for each in (double, frame)
    ]
    yield Row("smc_growth_causal", "ratio", causal[0] / causal[1], at_most=2.2, rules=rules)
