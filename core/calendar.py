"""Trading days and sessions (skeleton; see `Calendar`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Calendar:
    """Sessions of one market."""

    name: str
    zone: str

    def annotate(self, bars: np.ndarray[Any, Any], timeframe_ns: int) -> None:
        """Fill end, close_at, day, minute, end_minute, weekday, end_weekday, flags in place."""
        raise NotImplementedError


def get_calendar(name: str, user_file: Any = None) -> Calendar:
    """Return a calendar by name: NSE, CMEGlobex_GC, MCX, FX, 24/7."""
    raise NotImplementedError
