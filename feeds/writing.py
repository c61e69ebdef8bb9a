"""Price files written whole or not at all: Parquet and CSV, each with its provenance."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.bars import Series
from core.errors import ConfigError, TolaError
from core.files import put_in_place
from feeds.columns import PRICES
from feeds.kinds import Kind
from feeds.provenance import KEY, MARK, Provenance

ENDINGS = (".parquet", ".pq", ".csv", ".csv.gz", ".txt")


def is_parquet(path: Path) -> bool:
    """Say whether a file's name asks for Parquet."""
    return path.suffix.lower() in (".parquet", ".pq")


def require_writable(out: Path, sources: list[str], force: bool) -> None:
    """Refuse a target that exists, is a source, or has an ending we do not write.

    Raises
    ------
    ConfigError : naming the remedy; nothing is written.
    """
    if not out.name.lower().endswith(ENDINGS):
        raise ConfigError(f"{out}: expected a name that ends in .parquet, .csv or .csv.gz")
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: no folder {out.parent}; make it first")
    if any(out.exists() and Path(name).exists() and out.samefile(name) for name in sources):
        raise ConfigError(f"{out}: is the source itself, which is never changed; name another")
    if out.exists() and not force:
        raise ConfigError(f"{out}: exists already; name another, or overwrite it with --force")


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write files whole, all of them or none: else what was there stays.

    Raises
    ------
    ConfigError : if a folder cannot be written to.
    TolaError : if a file cannot be finished (a full disk).
    """
    fresh: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in contents.items():
            fresh[path] = _sibling(path)
            fresh[path].write_bytes(data)
        for path, full in fresh.items():
            put_in_place(full, path)
    except OSError as cause:
        raise TolaError(
            f"{path}: cannot be written: {cause.strerror}; nothing was kept: free space, or name "
            "another place with -o"
        ) from cause
    finally:
        for left in fresh.values():
            left.unlink(missing_ok=True)


def _sibling(path: Path) -> Path:
    """Return a new hidden file beside the one that is wanted, with the rights it shall have."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as cause:
        raise ConfigError(f"{path.parent}: cannot be written to: {cause.strerror}") from cause
    os.close(handle)
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)
    return Path(name)


def series_data(out: Path, series: Series, provenance: Provenance) -> bytes:
    """Return bars with START stamps in UTC as the bytes of a file of that name.

    Parameters
    ----------
    out : Path
        Ends in .parquet, .csv or .csv.gz.
    series : Series
        The bars; prices are written to the last bit.
    provenance : Provenance
        Its `kind` is set here.
    """
    name = "Tola Parquet" if is_parquet(out) else "Tola CSV"
    kind = Kind(name, None, None, "start", provenance.price_side, step_ns=series.timeframe_ns)
    marked = replace(provenance, rows=len(series), kind=dict(vars(kind)))
    data = _parquet(series, marked) if is_parquet(out) else _text(series, marked)
    return packed(out, data)


def packed(out: Path, data: bytes) -> bytes:
    """Return a text as the file's name asks; the same bytes for the same text."""
    return gzip.compress(data, mtime=0) if out.name.lower().endswith(".gz") else data


def _columns(series: Series) -> list[str]:
    spread = ["spread"] if bool(series.bars["spread"].any()) else []
    return [*PRICES, "volume", *spread]


def _parquet(series: Series, provenance: Provenance) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    stamps = pa.array(np.ascontiguousarray(series.bars["start"]), pa.timestamp("ns", "UTC"))
    columns = {"datetime": stamps}
    for name in _columns(series):
        columns[name] = pa.array(np.ascontiguousarray(series.bars[name]))
    table = pa.table(columns).replace_schema_metadata({KEY: provenance.text().encode()})
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _text(series: Series, provenance: Provenance) -> bytes:
    names = _columns(series)
    starts = np.ascontiguousarray(series.bars["start"]).astype("M8[ns]")
    whole = bool((series.bars["start"] % 1_000_000_000 == 0).all())
    stamps = np.datetime_as_string(starts, unit="s" if whole else "ms").tolist()
    values = [series.bars[name].tolist() for name in names]
    lines = [MARK + provenance.text(), ",".join(["datetime", *names])]
    lines += [
        f"{stamp}Z,{','.join(map(repr, row))}" for stamp, *row in zip(stamps, *values, strict=True)
    ]
    return ("\n".join(lines) + "\n").encode()
