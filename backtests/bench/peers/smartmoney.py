"""Time smartmoneyconcepts on prices handed over in a file; runs in the library's own environment.

`python -m backtests.bench.peers.smartmoney PRICES.npz ANSWERS.npz` prints one JSON object
{function: [CPU seconds, ...]} as its last line and writes every result column, so that equal
outputs can be shown.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

REPEATS, PATIENCE_SECS = 3, 8.0
"""Runs of each function, and the CPU seconds after which no further one is begun."""


def functions(smc: Any, frame: pd.DataFrame) -> dict[str, Callable[[], pd.DataFrame]]:
    """Return the library's nine calls, by the names the report uses."""
    swings = smc.swing_highs_lows(frame, 5)
    return {
        "swings": lambda: smc.swing_highs_lows(frame, 5),
        "fvg": lambda: smc.fvg(frame),
        "fvg_joined": lambda: smc.fvg(frame, join_consecutive=True),
        "order_blocks": lambda: smc.ob(frame, swings),
        "structure": lambda: smc.bos_choch(frame, swings),
        "liquidity": lambda: smc.liquidity(frame, swings, 0.001),
        "previous_high_low": lambda: smc.previous_high_low(frame, "1D"),
        "sessions": lambda: smc.sessions(frame, "London"),
        "retracements": lambda: smc.retracements(frame, swings),
    }


def main(prices: str, answers: str) -> None:
    """Run all nine, write their columns, print their times."""
    smc = importlib.import_module("smartmoneyconcepts").smc
    stored = np.load(prices)
    columns = {name: stored[name] for name in stored.files if name != "stamps"}
    frame = pd.DataFrame(columns, index=pd.to_datetime(stored["stamps"]))
    taken: dict[str, list[float]] = {}
    results: dict[str, Any] = {}
    for name, call in functions(smc, frame).items():
        taken[name] = []
        while len(taken[name]) < REPEATS and sum(taken[name]) < PATIENCE_SECS:
            began = time.process_time()
            table = call()
            taken[name].append(time.process_time() - began)
        for column in table.columns:
            results[f"{name}/{column}"] = table[column].to_numpy()
    np.savez(answers, **results)
    print()
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
