"""Bars of large files kept ready in the user's cache folder, as the kernels want them.

An entry is named by everything its bars depend on: the file's path, size, times and inode, how
it was asked for, the calendar's sessions and our own sources. So nothing is ever looked up twice
and nothing stale can be found; old entries are removed when the folder grows large. Entries are
mapped, not read: a page is loaded when it is touched and copied when it is written to.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import BAR, Series
from core.calendar import Calendar
from core.compile import user_cache_folder
from core.files import put_in_place

logger = logging.getLogger(__name__)

SMALLEST_BYTES = 4_000_000
"""Smaller files load fast enough."""
LARGEST_TOTAL_BYTES = 1_000_000_000
_SETTLED_NS = 2_000_000_000
"""A file changed this recently may change again within its time stamp's resolution."""


def entry_of(path: Path, calendar: Calendar, asked: Mapping[str, Any]) -> Path | None:
    """Return where the bars of a file are kept, without ending; None for one not worth it.

    Parameters
    ----------
    path : Path
        The file.
    calendar : Calendar
        Its sessions enter the name.
    asked : mapping
        Every option of the load.
    """
    try:
        stat = path.stat()
    except OSError:
        return None
    if stat.st_size < SMALLEST_BYTES or time.time_ns() - stat.st_mtime_ns < _SETTLED_NS:
        return None
    file = (str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    text = json.dumps([file, dict(asked), _sources()], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode())
    digest.update(f"{calendar.name} {calendar.zone.name} {calendar.roll_ns}".encode())
    digest.update(f"{calendar.regular_open} {calendar.regular_close}".encode())
    for column in (calendar.days, calendar.opens, calendar.closes, calendar.flags):
        digest.update(np.ascontiguousarray(column).tobytes())
    return user_cache_folder() / "bars" / digest.hexdigest()[:32]


@lru_cache(maxsize=1)
def _sources() -> str:
    """Return a digest of the sources that make bars."""
    top = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in ("core", "feeds"):
        for path in sorted((top / package).glob("*.*")):
            if path.suffix in (".py", ".toml"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read(entry: Path) -> Series | None:
    """Return the kept series, None where there is none."""
    try:
        head = json.loads(entry.with_suffix(".json").read_text())
        bars = np.memmap(entry.with_suffix(".bars"), BAR, "c", shape=(head["bars"],))
        os.utime(entry.with_suffix(".json"))
    except (OSError, ValueError, KeyError):
        return None
    return Series(head["symbol"], head["timeframe_ns"], bars.view(np.ndarray), head["source"])


def write(entry: Path, series: Series) -> None:
    """Keep a series; where the folder cannot be written, nothing is kept."""
    head = {
        "symbol": series.symbol,
        "timeframe_ns": series.timeframe_ns,
        "bars": len(series),
        "source": series.source,
    }
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _put(entry.with_suffix(".bars"), series.bars.view(np.uint8).data)
        _put(entry.with_suffix(".json"), json.dumps(head).encode())
        _remove_oldest(entry.parent)
    except OSError as cause:
        logger.debug("bars not kept: %s", cause)


def _put(path: Path, data: bytes | memoryview) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        put_in_place(Path(name), path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_oldest(folder: Path) -> None:
    """Remove the entries longest unused until the rest fits."""
    heads = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for head in heads:
        bars = head.with_suffix(".bars")
        total += bars.stat().st_size
        if total > LARGEST_TOTAL_BYTES:
            head.unlink(missing_ok=True)
            bars.unlink(missing_ok=True)
