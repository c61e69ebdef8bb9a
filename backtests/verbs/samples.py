"""The bundled synthetic prices: which file serves which instrument and timeframe."""

from __future__ import annotations

from pathlib import Path

from core.bars import parse_timeframe
from core.errors import ConfigError

FOLDER = Path(__file__).resolve().parents[2] / "data"

_GOLD = ("xauusd_15m_synthetic.csv.gz", "xauusd_5m_synthetic.csv.gz")
_FILES = {
    "XAUUSD": _GOLD,
    "MGC": _GOLD,
    "GC": _GOLD,
    "NIFTY-FUT": ("nifty_fut_1m_synthetic.csv.gz",),
    "DXY": ("dxy_1h_synthetic.csv.gz",),
}
_QUARTER_NS = parse_timeframe("15m")


def sample_path(symbol: str, timeframe: str) -> str:
    """Return the bundled file an instrument's bars are made from.

    Raises
    ------
    ConfigError : nothing is bundled for it.
    """
    if symbol not in _FILES:
        raise ConfigError(
            f"no prices are bundled for {symbol} (only for {', '.join(_FILES)}): give --data FILE"
        )
    files = _FILES[symbol]
    finer = parse_timeframe(timeframe) % _QUARTER_NS != 0
    return str(FOLDER / files[-1 if finer else 0])


def is_sample(path: str) -> bool:
    """Say whether a file is one of the bundled ones."""
    found = Path(path).resolve()
    return found.parent == FOLDER and any(found.name in files for files in _FILES.values())
