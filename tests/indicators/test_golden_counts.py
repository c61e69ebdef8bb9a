"""Counts on real prices that two independent programs agree on (smc.md section 13)."""

import numpy as np
import pandas as pd
import pytest

import indicators
from indicators.swings import APPENDED, IGNORED, REPLACED

# file, left = right: raw PH, PL; zigzag appended, replaced, ignored; FVG+, FVG-; BOS+, BOS-;
# CHoCH+, CHoCH-; the first breaks as (stamp, kind, level)
GOLD_15 = ("xauusd_15m", None)
GOLD_5 = ("xauusd_5m", None)
NIFTY_5 = ("nifty50_1m", "5min")
COUNTS = [
    (
        GOLD_15,
        2,
        (8216, 8011, 13216, 1688, 1323, 6694, 5943, 1590, 1184, 1402, 1402),
        [
            ("2023-01-03 02:30", "BOS+", 1832.33),
            ("2023-01-03 07:15", "BOS+", 1844.22),
            ("2023-01-03 08:30", "CHoCH-", 1839.986),
            ("2023-01-03 10:45", "BOS-", 1834.528),
        ],
    ),
    (
        GOLD_15,
        5,
        (3744, 3704, 5972, 836, 640, 6694, 5943, 789, 576, 737, 738),
        [
            ("2023-01-03 02:30", "BOS+", 1832.33),
            ("2023-01-03 07:15", "BOS+", 1843.079),
            ("2023-01-03 08:30", "CHoCH-", 1837.936),
        ],
    ),
    (
        GOLD_5,
        2,
        (7733, 7638, 12652, 1484, 1235, 6902, 5798, 1540, 1159, 1296, 1297),
        [("2025-01-02 01:05", "BOS+", 2627.9), ("2025-01-02 02:20", "BOS+", 2634.8)],
    ),
    (
        GOLD_5,
        5,
        (3452, 3493, 5778, 651, 516, 6902, 5798, 800, 554, 690, 690),
        [("2025-01-02 04:35", "BOS-", 2632.29)],
    ),
    (
        NIFTY_5,
        2,
        (5097, 5018, 8353, 960, 802, 5228, 4765, 1038, 854, 901, 901),
        [("2021-01-01 09:45", "BOS+", 14028.9)],
    ),
    (
        NIFTY_5,
        5,
        (2247, 2302, 3762, 454, 333, 5228, 4765, 514, 443, 447, 446),
        [("2021-01-01 11:55", "BOS-", 14016.3)],
    ),
]


def read_prices(folder, name, step):
    path = folder / f"{name}.csv.gz"
    frame = pd.read_csv(path, parse_dates=["datetime"], index_col="datetime")
    if step is None:
        return frame
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return frame.resample(step).agg(how).dropna()


@pytest.mark.parametrize(
    ("source", "width", "counts", "first_breaks"),
    COUNTS,
    ids=[f"{source[0]}-{width}" for source, width, *_ in COUNTS],
)
def test_blocks_count_what_two_programs_counted(real_data, source, width, counts, first_breaks):
    frame = read_prices(real_data, *source)

    pivots = indicators.swings(frame, left=width, right=width)
    gaps = indicators.fvg(frame)
    breaks = indicators.structure(frame, left=width, right=width)

    assert (
        pivots.ph.count(),
        pivots.pl.count(),
        *((pivots.event == event).sum() for event in (APPENDED, REPLACED, IGNORED)),
        *((gaps.fvg == side).sum() for side in (1, -1)),
        *((breaks.bos == side).sum() for side in (1, -1)),
        *((breaks.choch == side).sum() for side in (1, -1)),
    ) == counts
    found = breaks[(breaks.bos != 0) | (breaks.choch != 0)].head(len(first_breaks))
    kinds = np.where(found.bos != 0, "BOS", "CHoCH")
    signs = np.where(found.bos + found.choch > 0, "+", "-")
    told = [
        (f"{stamp:%Y-%m-%d %H:%M}", kind + sign, level)
        for stamp, kind, sign, level in zip(found.index, kinds, signs, found.level, strict=True)
    ]
    assert told == first_breaks
