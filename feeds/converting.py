"""Price files of any dialect into one of ours, several years joined, with where they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import Series, format_timeframe
from core.errors import ConfigError, DataError
from core.resampling import resample
from feeds.archives import members
from feeds.columns import PRICES
from feeds.loading import calendar_of, load, require_coarser, timeframe_ns
from feeds.provenance import Provenance, now_text, source_facts
from feeds.writing import require_writable, series_data, write_whole

_Array = np.ndarray[Any, Any]

_SAME = (*PRICES, "volume", "spread")


@dataclass(frozen=True)
class Reading:
    """How the sources of a conversion or a mending are read, as for `load`."""

    symbol: str | None = None
    tz: str | None = None
    stamp: str | None = None
    columns: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Converted:
    """What `convert` wrote: the file, its bars and its provenance."""

    out: Path
    series: Series
    provenance: Provenance


def convert(
    sources: Sequence[str],
    out: str | Path,
    reading: Reading = Reading(),
    *,
    timeframe: str | int | None = None,
    keep: str | None = None,
    force: bool = False,
    tool: str = "tola",
    tell: Callable[[str, int], None] = lambda stage, rows: None,
) -> Converted:
    """Write the bars of one or several files of an instrument as Parquet or CSV.

    Parameters
    ----------
    sources : sequence of str
        Files; a zip archive stands for all its members.
    out : str or Path
        Target; ends in .parquet, .csv or .csv.gz.
    reading : Reading
        Instrument, zone, stamp side and columns, where they cannot be found out.
    timeframe : str or int, optional
        A coarser one to build; bars outside the regular session are left out then.
    keep : str, optional
        Where two files hold the same stamp with other values: the 'first' file's row or the
        'last' one's. By default that is an error.
    force : bool
        Overwrite the target.
    tool : str
        Program and version, for the provenance.
    tell : callable(stage, rows)
        Told of each stage.

    Raises
    ------
    DataError : a source is faulty, or two disagree: names both, the stamp and the values.
    ConfigError : a target that exists; sources of several instruments or timeframes.
    """
    target = Path(out)
    require_writable(target, list(sources), force)
    paths = _expanded(sources)
    session = "all" if timeframe is None else "auto"
    parts = []
    for path in paths:
        tell(f"reading {Path(path).name}", 0)
        parts.append(
            load(
                path,
                symbol=reading.symbol,
                tz=reading.tz,
                stamp=reading.stamp,
                columns=reading.columns,
                session=session,
                cache=False,
            )
        )
    parts.sort(key=lambda part: int(part.bars["start"][0]))
    joined, merged = join(parts, keep)
    if timeframe is not None:
        joined = _coarser(joined, timeframe)
    tell("writing", len(joined))
    provenance = Provenance(
        made_by="data convert",
        tool=tool,
        made=now_text(),
        symbol=joined.symbol,
        timeframe=format_timeframe(joined.timeframe_ns),
        price_side=str(joined.source["price_side"]),
        rows=len(joined),
        sources=[source_facts(str(part.source["path"]), part.source) for part in parts],
        changes=merged,
        synthetic=any(bool(part.source.get("synthetic")) for part in parts),
    )
    write_whole({target: series_data(target, joined, provenance)})
    return Converted(target, joined, provenance)


def _expanded(sources: Sequence[str]) -> list[str]:
    """Return the sources with each archive of several members replaced by them."""
    found: list[str] = []
    for source in sources:
        names = members(Path(source))
        found += [f"{source}/{name}" for name in names] if len(names) > 1 else [source]
    if not found:
        raise ConfigError("name at least one file")
    return found


def join(parts: Sequence[Series], keep: str | None = None) -> tuple[Series, dict[str, int]]:
    """Return several files of one instrument, by first bar, as one series; and the rows merged.

    Raises
    ------
    ConfigError : the instruments differ; an unknown `keep`.
    DataError : the timeframes, or rows of one stamp, differ.
    """
    if keep not in (None, "first", "last"):
        raise ConfigError(f"keep={keep}: expected first or last")
    first = parts[0]
    for part in parts[1:]:
        _require_alike(first, part)
    if len(parts) == 1:
        return first, {}
    bars = np.concatenate([part.bars for part in parts])
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.argsort(bars["start"], kind="stable")
    bars, owner = bars[order], owner[order]
    again = np.flatnonzero(bars["start"][1:] == bars["start"][:-1]) + 1
    differs = np.zeros(len(again), bool)
    for name in _SAME:
        differs |= bars[name][again] != bars[name][again - 1]
    if differs.any() and keep is None:
        row = int(again[np.argmax(differs)])
        count = int(np.count_nonzero(differs))
        raise _differing(parts, bars, owner, row, count)
    out = np.ones(len(bars), bool)
    out[again if keep != "last" else again - 1] = False
    merged = {"equal rows merged": int(np.count_nonzero(~differs))}
    if differs.any():
        merged[f"differing rows, the {keep} kept"] = int(np.count_nonzero(differs))
    joined = np.ascontiguousarray(bars[out])
    calendar_of(first.symbol, None).annotate(joined, first.timeframe_ns)
    return replace(first, bars=joined), {name: count for name, count in merged.items() if count}


def _require_alike(first: Series, other: Series) -> None:
    name, path = str(first.source["path"]), str(other.source["path"])
    if other.symbol != first.symbol:
        raise ConfigError(
            f"{path}: holds {other.symbol}, {name} holds {first.symbol}; convert one instrument"
            " at a time, or name it with --instrument"
        )
    if other.timeframe_ns != first.timeframe_ns:
        mine, theirs = (format_timeframe(s.timeframe_ns) for s in (first, other))
        raise DataError(f"holds {theirs} bars, {name} holds {mine}", file=path)


def _differing(
    parts: Sequence[Series],
    bars: _Array,
    owner: _Array,
    row: int,
    count: int,
) -> DataError:
    paths = [str(parts[int(owner[at])].source["path"]) for at in (row - 1, row)]
    names: Sequence[str] = PRICES
    label = ""
    if all(bars[name][row - 1] == bars[name][row] for name in PRICES):
        names, label = ("volume", "spread"), "equal prices, volume/spread "
    values = ["/".join(f"{bars[name][at]:.12g}" for name in names) for at in (row - 1, row)]
    when = str(bars["start"][row].astype("M8[ns]").astype("M8[s]")).replace("T", " ")
    others = f" (and {count - 1} more stamps)" if count > 1 else ""
    return DataError(
        f"differs from {paths[0]} at {when} UTC: {label}{values[1]} against {values[0]}{others};"
        " keep one side with --keep first or --keep last",
        file=paths[1],
    )


def _coarser(series: Series, timeframe: str | int) -> Series:
    wanted = timeframe_ns(timeframe)
    require_coarser(str(series.source["path"]), series.timeframe_ns, wanted)
    if wanted is None or wanted == series.timeframe_ns:
        return series
    return resample(series, wanted, calendar_of(series.symbol, None))
