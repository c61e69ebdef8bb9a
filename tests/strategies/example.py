"""EX1 of the specification: 24 bars written out, tick 0.1, and its bars as records."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.bars import BAR, NEVER_NS

EX1 = """
104.0 104.6 103.6 104.2 100; 104.2 104.4 103.0 103.4 110; 103.4 103.6 102.0 102.4 120;
102.4 103.9 102.3 103.6 100; 103.6 105.0 103.2 104.6 130; 104.6 104.8 103.0 103.2 110;
103.2 103.4 101.2 101.5 180; 101.5 101.9 100.4 100.8 140; 100.8 102.2 100.6 101.9 120;
101.9 102.6 101.4 102.0 100; 102.0 102.3 100.9 101.1 110; 101.1 101.3 99.9 100.7 200;
100.7 101.4 100.5 101.3 120; 101.3 104.0 101.2 103.8 320; 103.8 105.2 103.5 104.9 260;
104.9 105.1 104.2 104.4 120; 104.4 104.6 103.1 103.4 110; 103.4 103.7 101.0 102.8 170;
102.8 104.5 102.6 104.3 150; 104.3 105.4 104.1 105.3 180; 105.3 105.6 103.0 103.2 210;
103.2 103.3 100.6 100.8 260; 100.8 103.8 100.7 103.6 300; 103.6 104.0 103.0 103.9 150
"""
START_NS = 1_709_632_800_000_000_000
"""Tuesday 2024-03-05 10:00 UTC, 05:00 in New York."""
MINUTE_NS = 60_000_000_000
STEP_NS = 15 * MINUTE_NS


def frame() -> pd.DataFrame:
    """EX1 as a DataFrame without time stamps."""
    rows = [[float(word) for word in row.split()] for row in EX1.replace("\n", " ").split(";")]
    return pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"])


def bars() -> np.ndarray:
    """EX1 as 15-minute bars of one New York morning, annotated by hand."""
    made = np.zeros(24, BAR)
    for name, column in frame().items():
        made[name] = column
    made["start"] = START_NS + STEP_NS * np.arange(24)
    made["end"] = made["start"] + STEP_NS
    made["minute"] = 300 + 15 * np.arange(24)
    made["end_minute"] = made["minute"] + 15
    made["weekday"] = made["end_weekday"] = 1
    made["day"] = START_NS // (1440 * MINUTE_NS)
    made["flat_at"] = made["close_at"] = NEVER_NS
    return made
