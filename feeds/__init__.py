"""Bars from files and frames, checked, in UTC, with their origin; and the feed that hands them
to Backtrader in bulk.

Knows file formats, zones and calendars. Must not know a strategy, a broker or an order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.resampling import resample
    from feeds.bulk import BulkData
    from feeds.checking import check
    from feeds.listing import list_series
    from feeds.loading import load

__all__ = ["BulkData", "check", "list_series", "load", "resample"]

_HOME = {
    "BulkData": "feeds.bulk",
    "check": "feeds.checking",
    "list_series": "feeds.listing",
    "load": "feeds.loading",
    "resample": "core.resampling",
}


def __getattr__(name: str) -> Any:
    # Backtrader and pyarrow load only when a feed is really used: the command line starts at once.
    if name not in _HOME:
        raise AttributeError(f"module 'feeds' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
