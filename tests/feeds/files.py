"""Small files for the tests of this folder."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

HEADER = "datetime,open,high,low,close,volume"
ROWS = (
    "2024-01-03 14:00:00,2050.10,2051.20,2049.90,2050.80,120",
    "2024-01-03 14:15:00,2050.80,2052.00,2050.50,2051.60,90",
    "2024-01-03 14:30:00,2051.60,2051.70,2048.30,2048.90,150",
)


def write(folder: Path, text: str, name: str = "xauusd_15m.csv") -> Path:
    """Write a text as it stands, packed if the name says so."""
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("prices.csv", text)
    else:
        path.write_text(text, encoding="utf-8")
    return path


def table(*rows: str, header: str = HEADER) -> str:
    """Return a file's text."""
    return "\n".join((header, *rows)) + "\n"


def starts(series: object) -> list[str]:
    """Return the STARTs of a series as short ISO texts."""
    return [str(t) for t in _minutes(series, "start")]


def ends(series: object) -> list[str]:
    """Return the ENDs of a series, as `starts`."""
    return [str(t) for t in _minutes(series, "end")]


def _minutes(series: object, name: str) -> list[object]:
    return list(series.bars[name].astype("M8[ns]").astype("M8[m]"))  # type: ignore[attr-defined]
