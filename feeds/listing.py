"""The price files of a folder at a glance: what `data list` prints.

Fast: of a text only parts are parsed (its head, its end and stretches between), of a Parquet file
of ours only the metadata is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import format_timeframe
from core.errors import TolaError
from core.zones import Times
from feeds.candles import is_json, read_candles
from feeds.columns import PRICES, Columns, known_name
from feeds.csv import table_columns
from feeds.dialects import Text, read_text, sniff
from feeds.last_check import last_check
from feeds.loading import calendar_of, describe, file_step, read_columns, whose
from feeds.origin import require_sure, settle_origin
from feeds.provenance import stated
from feeds.validate import all_faults, fault_text
from feeds.writing import is_parquet

_ENDINGS = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".json", ".zip", ".parquet", ".pq")
_HEAD_BYTES = 65_536
_WHOLE_BYTES = 500_000
_STRETCHES, _STRETCH_BYTES = 24, 24_000


@dataclass(frozen=True)
class Listed:
    """One price file.

    first, last : START of the first and last bar, ISO 8601 UTC. findings : how many errors,
    warnings and notes the last `data check` found, empty if the file was not checked as it is.
    made_from : names of the files a file of ours was made of. fault : why it cannot be loaded,
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
    dialect: str = ""
    price_side: str = ""
    stamp: str = ""
    findings: dict[str, int] = field(default_factory=dict)
    made_from: tuple[str, ...] = ()


def list_series(folder: str | Path, *, recursive: bool = False) -> list[Listed]:
    """Return what each price file of a folder holds, by name.

    Tables of other things are left out; sub-folders too, unless `recursive`.
    """
    listed = (_listed(path) for path in _files(Path(folder), recursive))
    return [item for item in listed if item is not None]


def _files(top: Path, recursive: bool) -> Iterator[Path]:
    for path in sorted(top.rglob("*") if recursive else top.iterdir()):
        hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
        if path.name.lower().endswith(_ENDINGS) and path.is_file() and not hidden:
            yield path


def _may_hold_prices(path: Path, text: Text) -> bool:
    """Say no to a table of something else: a text whose header names no price."""
    lines = text.data[:_HEAD_BYTES].decode("utf-8", "replace").splitlines()
    if is_json(text):
        return any(word in lines[0] for word in ('"candles"', '"open"', '"Open"'))
    if path.suffix.lower() == ".json":
        return False
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    words = [known_name(word) for word in re.split(r"[,;\t|]", header)]
    return any(word in PRICES for word in words) or any(char.isdigit() for char in header)


def _listed(path: Path) -> Listed | None:
    """Return what a file holds, None where it is a table of something else."""
    try:
        if is_parquet(path):
            return _of_ours(path) or _of_table(path)
        text = read_text(path, str(path))
        return _of_sample(path, *_sample(text)) if _may_hold_prices(path, text) else None
    except TolaError as fault:
        words = str(fault).splitlines()[0]
        return Listed(str(path), fault=words.removeprefix(str(path)).lstrip(": "))


def _of_ours(path: Path) -> Listed | None:
    """List a Parquet file of ours from its metadata alone."""
    own = stated(path)
    if own is None or not own.kind:
        return None
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    groups = [
        metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)
    ]
    if not all(group is not None and group.has_min_max for group in groups):
        return None
    kind = own.reading()
    return Listed(
        str(path),
        own.symbol,
        own.timeframe,
        metadata.num_rows,
        _iso(min(group.min.value for group in groups)),
        _iso(max(group.max.value for group in groups)),
        "UTC",
        "zone-aware stamps",
        own.synthetic,
        dialect=kind.name,
        price_side=own.price_side,
        stamp=kind.stamp or "start",
        findings=last_check(path),
        made_from=tuple(str(source["name"]) for source in own.sources),
    )


def _of_table(path: Path) -> Listed:
    table = read_columns(path, {})
    return _of_sample(path, table, len(table.stamps))


def _of_sample(path: Path, table: Columns, rows: int) -> Listed:
    """List a file by some of its rows."""
    symbol, guessed = whose(path)
    market = calendar_of(symbol, None)
    step = file_step(table, None)
    origin = settle_origin(table, market, step, None, None)
    require_sure(origin, table)
    _require_sound(table, origin.start, len(table.stamps) == rows)
    facts = describe(table, origin, step, {}, symbol, guessed)
    own: dict[str, Any] = facts.get("provenance", {})
    return Listed(
        str(path),
        symbol,
        format_timeframe(step),
        rows,
        _iso(int(origin.start.min())),
        _iso(int(origin.start.max())),
        origin.zone,
        origin.zone_known,
        bool(facts["synthetic"]),
        dialect=str(facts.get("dialect", "")),
        price_side=str(facts["price_side"]),
        stamp=origin.stamp,
        findings=last_check(path),
        made_from=tuple(str(source["name"]) for source in own.get("sources", ())),
    )


def _require_sound(table: Columns, start: Times, is_whole: bool) -> None:
    """Refuse what a run would refuse; a line is known only where all lines were read."""
    bits = all_faults(table, start)
    if not bits.any():
        return
    row = int(np.argmax(bits != 0))
    text = fault_text(table, row, int(bits[row]))
    if is_whole:
        raise table.fault(text, row)
    raise table.fault(f"has faulty rows, such as: {text}; data check names them all")


def _sample(text: Text) -> tuple[Columns, int]:
    """Return rows of a text that tell its grid, zone and span, and how many rows it has."""
    if is_json(text):
        table = read_candles(text, {})
        return table, len(table.stamps)
    dialect = sniff(text, {})
    data = text.data
    if len(data) > _WHOLE_BYTES:
        data = _stretches(data)
    part = Text(text.name, data, text.sha256, text.packing, text.encoding, text.member)
    table = table_columns(part, dialect, {})
    if data is text.data:
        return table, len(table.stamps)
    lines = text.data.count(b"\n") + (not text.data.endswith(b"\n"))
    return table, lines - dialect.skip_lines


def _stretches(data: bytes) -> bytes:
    """Return whole lines of a long text: its head, its end, and stretches spread over it."""
    parts = [data[: data.rfind(b"\n", 0, _HEAD_BYTES) + 1]]
    places = np.linspace(_HEAD_BYTES, len(data) - _STRETCH_BYTES, _STRETCHES).astype(int)
    for place in places.tolist():
        begin = data.find(b"\n", place) + 1
        end = data.rfind(b"\n", begin, begin + _STRETCH_BYTES) + 1
        parts.append(data[begin:end] if end > begin else b"")
    return b"".join(parts)


def _iso(time_ns: int) -> str:
    return f"{np.datetime_as_string(np.datetime64(int(time_ns), 'ns'), unit='s')}Z"
