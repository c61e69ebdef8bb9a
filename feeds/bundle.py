"""Writes the bundled samples in `data/` from the seeded generator: `python -m feeds.bundle`.

Same seed, same text on every machine; a test compares the digests in `data/README.md`.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from datetime import date
from pathlib import Path

import numpy as np

from core.bars import Series, format_timeframe, parse_timeframe
from core.resampling import resample
from core.synthetic import DOLLAR, GOLD, NIFTY, NOTE, generate
from core.synthetic import Path as PricePath
from core.zones import NS_PER_MINUTE, zone_table

_GOLD_DAYS = date(2024, 1, 2), date(2025, 3, 28)
_GOLD_FINE_FROM = date(2024, 9, 30)
_NIFTY_DAYS = date(2024, 7, 1), date(2025, 2, 28)
_SEEDS = {"gold": 20240102, "dollar": 20240103, "nifty": 20240701}


def samples() -> dict[str, bytes]:
    """Return the text of each bundled file by its name, uncompressed."""
    gold = generate(GOLD, *_GOLD_DAYS, _SEEDS["gold"])
    dollar = generate(DOLLAR, *_GOLD_DAYS, _SEEDS["dollar"], follow=gold)
    nifty = generate(NIFTY, *_NIFTY_DAYS, _SEEDS["nifty"])
    series = {
        "xauusd_15m_synthetic.csv.gz": _series(gold, "15m"),
        "xauusd_5m_synthetic.csv.gz": _since(_series(gold, "5m"), _GOLD_FINE_FROM),
        "nifty_fut_1m_synthetic.csv.gz": _series(nifty, "1m"),
        "dxy_1h_synthetic.csv.gz": _series(dollar, "1h"),
    }
    return {name: to_csv(made) for name, made in series.items()}


def _series(path: PricePath, timeframe: str) -> Series:
    minutes = Series(path.recipe.symbol, NS_PER_MINUTE, path.bars, {"note": NOTE})
    return resample(minutes, parse_timeframe(timeframe), path.calendar)


def _since(series: Series, first: date) -> Series:
    begin = np.datetime64(first).astype("M8[ns]").astype(np.int64)
    return series.with_bars(series.bars[series.bars["start"] >= begin])


def to_csv(series: Series) -> bytes:
    """Return a series as CSV text: a comment that says what it is, a header, rows by START.

    Stamps are wall clock as such files come: Kolkata for NSE, UTC else.
    """
    bars = series.bars
    zone = "Asia/Kolkata" if series.symbol == NIFTY.symbol else "UTC"
    decimals = 3 if series.symbol == DOLLAR.symbol else 2
    grid = format_timeframe(series.timeframe_ns)
    wall = zone_table(zone).to_local(np.ascontiguousarray(bars["start"]))
    stamps = np.datetime_as_string(wall.astype("M8[ns]"), unit="s")
    lines = [f"# {NOTE}: {series.symbol} {grid}, {zone}, bar starts"]
    lines.append("datetime,open,high,low,close,volume")
    columns = [bars[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    for stamp, open_, high, low, close, volume in zip(stamps, *columns, strict=True):
        prices = ",".join(f"{price:.{decimals}f}" for price in (open_, high, low, close))
        lines.append(f"{stamp.replace('T', ' ')},{prices},{volume:.0f}")
    return ("\n".join(lines) + "\n").encode()


def write(folder: Path) -> dict[str, str]:
    """Write the samples into a folder; return the sha256 of each text by file name."""
    digests = {}
    for name, text in samples().items():
        (folder / name).write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
        digests[name] = hashlib.sha256(text).hexdigest()
    return digests


def main() -> None:
    """Write the samples beside the project's sources and say what was written."""
    folder = Path(__file__).resolve().parent.parent / "data"
    for name, digest in write(folder).items():
        sys.stdout.write(f"{name} {digest}\n")


if __name__ == "__main__":
    main()
