"""The price files of a folder at a glance: what `data list` prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.bars import format_timeframe
from core.errors import DataError, TolaError
from feeds.columns import PRICES, known_name
from feeds.dialects import read_text
from feeds.loading import load

_ENDINGS = (".csv", ".csv.gz", ".txt", ".txt.gz", ".zip", ".parquet", ".pq")


@dataclass(frozen=True)
class Listed:
    """One price file.

    first, last : START of the first and last bar, ISO 8601 UTC. fault : why it cannot be loaded,
    empty if it can; the other facts are empty then.
    """

    path: str
    symbol: str = ""
    timeframe: str = ""
    bars: int = 0
    first: str = ""
    last: str = ""
    zone: str = ""
    zone_known: str = ""
    synthetic: bool = False
    fault: str = ""


def list_series(folder: str | Path) -> list[Listed]:
    """Return what each price file of a folder holds, by name.

    Sub-folders and tables of other things are left out.
    """
    top = Path(folder)
    files = [path for path in sorted(top.iterdir()) if path.name.lower().endswith(_ENDINGS)]
    return [_listed(path) for path in files if path.is_file() and _may_hold_prices(path)]


def _may_hold_prices(path: Path) -> bool:
    """Say no to a table of something else: a text whose header names no price."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return True
    try:
        lines = read_text(path, str(path)).data[:65_536].decode("utf-8", "replace").splitlines()
    except DataError:
        return True
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    words = [known_name(word) for word in re.split(r"[,;\t|]", header)]
    return any(word in PRICES for word in words) or any(char.isdigit() for char in header)


def _listed(path: Path) -> Listed:
    try:
        series = load(path)
    except TolaError as fault:
        return Listed(str(path), fault=str(fault).removeprefix(str(path)).lstrip(": "))
    starts = series.bars["start"][[0, -1]].astype("M8[ns]")
    first, last = (f"{text}Z" for text in np.datetime_as_string(starts, unit="s"))
    return Listed(
        str(path),
        series.symbol,
        format_timeframe(series.timeframe_ns),
        len(series),
        first,
        last,
        str(series.source["zone"]),
        str(series.source["zone_known"]),
        bool(series.source["synthetic"]),
    )
