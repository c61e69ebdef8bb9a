"""The price files of a folder at a glance: what `data list` prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.bars import format_timeframe
from core.errors import TolaError
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
    """Return what each price file of a folder holds, by name; sub-folders are left out."""
    top = Path(folder)
    files = [path for path in sorted(top.iterdir()) if path.name.lower().endswith(_ENDINGS)]
    return [_listed(path) for path in files if path.is_file()]


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
