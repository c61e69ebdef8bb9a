"""The run folder of a search: claimed before the first set is run, complete once it holds
summary.json. Until then it holds the study alone, from which a killed search goes on."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backtests.request import BacktestRequest
from backtests.search.objective import METRICS
from backtests.search.space import Space, text_of
from backtests.search.study import FILE, IDENTITY, check_same, read_identity
from backtests.search.table import COUNTS, Table
from core.errors import ConfigError, TolaError
from core.files import replacing
from core.results import remove_abandoned, write_table

CSV, PARQUET, SUMMARY, RUN = "results.csv", "results.parquet", "summary.json", "run.json"


def claim(runs: Path, out: Path | None) -> Path:
    """Make a new run folder: `out`, else the next number in `runs`.

    Raises
    ------
    ConfigError : `out` exists already, or the folder cannot be made.
    """
    if out is not None and out.exists():
        raise ConfigError(
            f"--out {out}: exists already; go on in it with --resume, or name a new folder"
        )
    try:
        if out is not None:
            out.mkdir(parents=True)
            return out
        runs.mkdir(parents=True, exist_ok=True)
        remove_abandoned(runs)
        while True:
            taken = [int(entry.name) for entry in runs.iterdir() if entry.name.isdigit()]
            path = runs / f"{max(taken, default=0) + 1:04d}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as cause:
        raise ConfigError(
            f"{out or runs}: cannot write a run folder there ({cause.strerror}); use --out"
        ) from cause


def find_study(
    runs: Path,
    out: Path | None,
    identity: Mapping[str, Any],
    names: Mapping[str, str] = IDENTITY,
    file: str = FILE,
) -> Path:
    """Return the folder whose study fits: `out`, else the newest in `runs`.

    names : what must be the same (`study.check_same`). file : what the study is called.

    Raises
    ------
    ConfigError : there is none, or none that fits; the first difference of the newest is named.
    """
    if out is not None:
        check_same(out / file, read_identity(out / file), identity, names)
        return out
    studies = sorted(runs.glob(f"*/{file}"), key=lambda path: path.stat().st_mtime, reverse=True)
    if not studies:
        raise ConfigError(f"--resume: {runs} holds no study; leave --resume out")
    newest: ConfigError | None = None
    for path in studies:
        try:
            check_same(path, read_identity(path), identity, names)
        except ConfigError as fault:
            newest = newest or fault
        else:
            return path.parent
    assert newest is not None
    raise newest


def drop(path: Path) -> None:
    """Remove a folder in which nothing is worth keeping."""
    shutil.rmtree(path, ignore_errors=True)


def write_results(path: Path, space: Space, table: Table) -> None:
    """Write results.csv and results.parquet: one row a set that was run, in order."""
    names = [axis.name for axis in space.axes]
    columns = ["place", *names, *METRICS, "fault"]
    rows = table.rows()
    try:
        with replacing(path / CSV) as fresh:
            write_table(fresh, columns, _csv_rows(table, rows))
        with replacing(path / PARQUET) as fresh:
            _write_parquet(fresh, names, table, rows)
    except OSError as cause:
        raise TolaError(
            f"{path}: the results could not be written ({cause.strerror}); they are kept in "
            f"{FILE}: free space and go on with --resume"
        ) from cause


def _csv_rows(table: Table, rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows:
        given = {name: text_of(value) for name, value in table.sets[row].items()}
        yield {"place": int(row), **given, **table.told(row), "fault": table.faults.get(row, "")}


def _write_parquet(path: Path, names: list[str], table: Table, rows: Any) -> None:
    from core.parquet import write_columns

    columns: dict[str, Any] = {"place": np.asarray(rows, np.int64)}
    for name in names:
        columns[name] = _values([table.sets[row][name] for row in rows])
    for name in METRICS:
        column = table.column(name)[rows]
        whole = name in COUNTS and not np.isnan(column).any()
        columns[name] = column.astype(np.int64) if whole else np.ascontiguousarray(column)
    columns["fault"] = np.array([table.faults.get(row, "") for row in rows], object)
    write_columns(path, columns)


def _values(values: list[Any]) -> Any:
    """Return a parameter's values as a column: numbers where all are, else text."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values, np.float64 if any(isinstance(v, float) for v in values) else None)
    return np.array([text_of(value) for value in values], object)


def run_document(
    verb: str,
    request: BacktestRequest,
    identity: Mapping[str, Any],
    seed: int,
    again: Sequence[str],
) -> dict[str, Any]:
    """Return what run.json holds: all that is needed to run a search again.

    again : the words of its command.
    """
    return {
        "verb": verb,
        "words": list(again),
        "code_version": identity["code"],
        "python": platform.python_version(),
        "libraries": identity["libraries"],
        "seed": seed,
        "settings": request.origins,
        "overrides": list(request.overrides),
        "identity": dict(identity),
    }


def files_of(path: Path) -> dict[str, Any]:
    """Return a run folder's files by what they are."""
    names = {"results": CSV, "results_parquet": PARQUET, "summary": SUMMARY, "run": RUN}
    return {what: (path / name).as_posix() for what, name in {**names, "study": FILE}.items()}
