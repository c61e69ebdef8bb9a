"""`export`: a run's trades, fills, orders and equity as files for tax and journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtests.export.files import FORMATS, write_csv, write_parquet, write_whole, write_xlsx
from backtests.export.tables import KINDS, TABLES, YEARS, Source, build
from backtests.verbs.outcome import FAILED, Outcome, command_line
from core.config_fields import first_date, last_date
from core.errors import ConfigError, near_name
from core.results import RunFolder, find_run

if TYPE_CHECKING:
    import pyarrow as pa

MONEY = (
    "gross_pnl",
    "costs",
    *(f"cost_{kind}" for kind in (*KINDS, "other")),
    "pnl",
    "fo_turnover",
)
"""Columns that are summed up."""


@dataclass(frozen=True)
class ExportRequest:
    """What is wanted, checked.

    first, last : trading dates, both included; None: no bound.
    years : 'india', 'calendar', or None: by each account's currency.
    """

    tables: tuple[str, ...]
    kind: str
    out: Path | None
    first: date | None
    last: date | None
    years: str | None


RUNS = Path("runs")


def export_command(tables: Sequence[str], wanted: str, flags: Mapping[str, Any]) -> Outcome:
    """Export as the command line asks (flags: from, to, format, out, fy; None where not given)."""
    return export(wanted, RUNS, read_request(tables, flags))


def export(wanted: str, runs: Path, request: ExportRequest) -> Outcome:
    """Write a run's tables as files and say what they add up to; exit 1 if they do not add up.

    Raises
    ------
    ConfigError : no such run, a range without rows, a place that cannot be written to.
    """
    folder = find_run(wanted, runs)
    folder.check_trades("export")
    source = Source(folder, request.years)
    tables = {name: _in_range(build(source, name), request) for name in request.tables}
    for name, table in tables.items():
        if not table.num_rows:
            raise ConfigError(_nothing_there(source, name, request))
    paths = _paths(folder, request)
    totals = _totals(tables)
    checks = _checks(source)
    _write(paths, tables, request, source, totals)
    files = [
        {"table": name, "path": paths[name].as_posix(), "rows": table.num_rows}
        for name, table in tables.items()
    ]
    document = _head(source, request) | {"files": files, "totals": totals, "checks": checks}
    wrote = _file_lines(files, request)
    notes = [_CUT_SHORT] if document["interrupted"] else []
    return Outcome(
        document,
        [*wrote, *notes, *_total_lines(totals), *_check_lines(checks)],
        _next_step(files, wanted),
        wrote,
        0 if all(check["adds_up"] for check in checks) else FAILED,
    )


_CUT_SHORT = "note: the run was interrupted: what it holds ends early"


def _head(source: Source, request: ExportRequest) -> dict[str, Any]:
    return {
        "run": source.folder.path.as_posix(),
        "mode": source.mode,
        "interrupted": bool(source.summary.get("interrupted")),
        "format": request.kind,
        "from": None if request.first is None else request.first.isoformat(),
        "to": None if request.last is None else request.last.isoformat(),
    }


def read_request(tables: Sequence[str], flags: Mapping[str, Any]) -> ExportRequest:
    """Return what the command line asks for.

    Raises
    ------
    ConfigError : an unknown table, format or year; dates that are none or the wrong way round.
    """
    wanted = tuple(TABLES) if "all" in tables else tuple(dict.fromkeys(tables))
    for name in wanted:
        if name not in TABLES:
            raise ConfigError(f"export {name!r}{near_name(name, (*TABLES, 'all'))}")
    out = None if flags["out"] is None else Path(flags["out"])
    if out is not None and str(flags["out"]).endswith(("/", os.sep)) and not out.is_dir():
        raise ConfigError(f"--out {flags['out']}: no such folder; make it, or choose another")
    first, last = _date(flags, "from", first_date), _date(flags, "to", last_date)
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--from {first} is after --to {last}: exchange them")
    years = flags["fy"]
    if years is not None and years not in YEARS:
        raise ConfigError(f"--fy {years}: expected {' or '.join(YEARS)}")
    return ExportRequest(wanted, _kind(flags["format"], out), out, first, last, years)


def _date(flags: Mapping[str, Any], name: str, read: Callable[[Any], date]) -> date | None:
    if flags[name] is None:
        return None
    try:
        return read(flags[name])
    except ValueError as cause:
        raise ConfigError(f"--{name} {flags[name]}: {cause}") from cause


def _kind(given: str | None, out: Path | None) -> str:
    """Return the format asked for, or that of the file's name; CSV where neither says."""
    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    if given is None:
        return ending if ending in FORMATS else "csv"
    if given not in FORMATS:
        raise ConfigError(f"--format {given!r}{near_name(given, FORMATS)}")
    if ending in FORMATS and ending != given:
        raise ConfigError(f"--out {out} is named .{ending}, but --format says {given}: change one")
    return given


# -- what is written -------------------------------------------------------------------------


def _in_range(table: pa.Table, request: ExportRequest) -> pa.Table:
    import pyarrow.compute as pc

    dates = table.column("trading_date")
    if request.first is not None:
        table = table.filter(pc.greater_equal(dates, request.first))
        dates = table.column("trading_date")
    if request.last is not None:
        table = table.filter(pc.less_equal(dates, request.last))
    return table


def _nothing_there(source: Source, name: str, request: ExportRequest) -> str:
    """Say why there is nothing to export, and where there would be something."""
    import pyarrow.compute as pc

    dates = build(source, name).column("trading_date")
    if not len(dates):
        return f"run {source.folder.name} has no {name}: nothing to export; try another --run"
    ends = pc.min_max(dates).as_py()
    asked = f"{request.first or 'the beginning'} to {request.last or 'the end'}"
    return (
        f"run {source.folder.name} has no {name} from {asked}: its {len(dates):,} lie between "
        f"{ends['min']} and {ends['max']}; change --from and --to"
    )


def _paths(folder: RunFolder, request: ExportRequest) -> dict[str, Path]:
    """Return the file of each table: beside the run, in a folder, or as named by --out."""
    ending = f".{request.kind}"
    bounds = [day.isoformat() for day in (request.first, request.last) if day is not None]
    if request.first is None and bounds:
        bounds.insert(0, "to")
    one_book = request.kind == "xlsx" and len(request.tables) > 1
    stems = {name: "_".join(["all" if one_book else name, *bounds]) for name in request.tables}
    out = request.out
    if out is None:
        place = folder.path / "export"
        _make(place)
        return {name: place / f"{stem}{ending}" for name, stem in stems.items()}
    if out.is_dir():
        return {name: out / f"{folder.name}-{stem}{ending}" for name, stem in stems.items()}
    if len(request.tables) > 1 and request.kind != "xlsx":
        raise ConfigError(
            f"--out {out}: {len(request.tables)} tables make {len(request.tables)} {request.kind} "
            "files; name a folder that exists, or use --format xlsx"
        )
    if out.parent.resolve() == folder.path.resolve() and out.exists():
        raise ConfigError(f"--out {out}: is the run's own file; choose another name")
    return dict.fromkeys(request.tables, out)


def _make(place: Path) -> None:
    try:
        place.mkdir(exist_ok=True)
    except OSError as cause:
        raise ConfigError(
            f"{place}: cannot be made ({cause.strerror}); choose a folder with --out"
        ) from cause


def _write(
    paths: Mapping[str, Path],
    tables: Mapping[str, pa.Table],
    request: ExportRequest,
    source: Source,
    totals: Sequence[Mapping[str, Any]],
) -> None:
    if request.kind == "xlsx":
        rows = _summary_rows(source, request, tables, totals)
        (path,) = set(paths.values())
        write_whole({path: partial(write_xlsx, tables=tables, summary=rows)})
        return
    write = write_csv if request.kind == "csv" else write_parquet
    write_whole({paths[name]: partial(write, table=table) for name, table in tables.items()})


# -- what it adds up to ----------------------------------------------------------------------


def _totals(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Return the sums of the money columns by table, account and financial year."""
    found: list[dict[str, Any]] = []
    for name, table in tables.items():
        money = [column for column in MONEY if column in table.column_names]
        if not money:
            continue
        keys = ["account", "currency", "financial_year"]
        groups = table.group_by(keys, use_threads=False).aggregate(
            [("account", "count"), *((column, "sum") for column in money)]
        )
        for row in groups.to_pylist():
            sums = {column: row[f"{column}_sum"] for column in money}
            found.append(
                {"table": name, **{key: row[key] for key in keys}, "rows": row["account_count"]}
                | {
                    column: None if value is None else float(value)
                    for column, value in sums.items()
                }
            )
    return found


def _checks(source: Source) -> list[dict[str, Any]]:
    """Compare the books with the run's summary: net profit and costs of each account, whole run."""
    books = source.ledger
    paid = books.filter(like="cost:").sum(axis=1)
    checks = []
    for account in source.summary["accounts"]:
        name = str(account["account"])
        traded = [*source.summary["plans"], *source.summary.get("hands", ())]
        plans = [plan for plan in traded if plan["account"] == name]
        mine = books["account"] == name
        booked = float(books["gross"][mine].sum() - paid[mine].sum())
        opened = sum(row["open_pnl"] for plan in plans for row in plan["open_positions"])
        costs = sum(money for plan in plans for money in plan["costs"].values())
        closed = source.trades["plan_id"].isin([plan["plan_id"] for plan in plans])
        checks.append(
            {
                "account": name,
                "currency": account["currency"],
                "booked": round(booked, 2),
                "open_pnl": round(opened, 2),
                "net_profit": round(account["net_profit"], 2),
                "costs": round(float(paid[mine].sum()), 2),
                "trades": int(closed.sum()),
                "adds_up": abs(booked + opened - account["net_profit"]) < _CENT
                and abs(float(paid[mine].sum()) - costs) < _CENT
                and int(closed.sum()) == sum(plan["trades"] for plan in plans),
            }
        )
    return checks


_CENT = 0.0051


def _file_lines(files: Sequence[Mapping[str, Any]], request: ExportRequest) -> list[str]:
    bounds = ""
    if request.first is not None or request.last is not None:
        bounds = (
            f", {request.first or 'the beginning'} to {request.last or 'the end'} (trading dates)"
        )
    names = {"equity": "equity marks"}
    held: dict[str, list[str]] = {}
    for file in files:
        text = f"{file['rows']:,} {names.get(file['table'], file['table'])}"
        held.setdefault(file["path"], []).append(text)
    return [f"wrote {path}: {', '.join(rows)}{bounds}" for path, rows in held.items()]


def _total_lines(totals: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for row in totals:
        if row["table"] != totals[0]["table"]:
            continue  # trades and fills of one run say the same
        money = f"gross {row['gross_pnl']:,.2f}  costs {row['costs']:,.2f}"
        if "pnl" in row:
            money += f"  net {row['pnl']:,.2f}"
        if row.get("fo_turnover") is not None:
            money += f"  turnover {row['fo_turnover']:,.2f}"
        kinds = ", ".join(
            f"{name.removeprefix('cost_')} {value:,.2f}"
            for name, value in row.items()
            if name.startswith("cost_") and value
        )
        lines.append(
            f"{row['account']}  {row['financial_year']}  {row['rows']:,} {row['table']}  "
            f"{row['currency']}  {money}" + (f"  ({kinds})" if kinds else "")
        )
    return lines


def _check_lines(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for check in checks:
        parts = f"booked {check['booked']:,.2f} + open {check['open_pnl']:,.2f}"
        if check["adds_up"]:
            lines.append(
                f"{check['account']}: the whole run adds up: {parts} = "
                f"net profit {check['net_profit']:,.2f} {check['currency']}"
            )
        else:
            lines.append(
                f"{check['account']}: the run does NOT add up: {parts}, but its summary says net "
                f"profit {check['net_profit']:,.2f} {check['currency']}: do not file these figures"
            )
    return lines


def _next_step(files: Sequence[Mapping[str, Any]], wanted: str) -> str:
    if len(files) == 1 and files[0]["table"] == "trades" and not files[0]["path"].endswith("xlsx"):
        everything = ["export", "all", "--run", wanted, "--format", "xlsx"]
        return f"a workbook of everything: {command_line(everything)}"
    shown = command_line(["runs", "show", wanted])
    return f"docs/export.md explains the columns; what the run came to: {shown}"


def _summary_rows(
    source: Source,
    request: ExportRequest,
    tables: Mapping[str, pa.Table],
    totals: Sequence[Mapping[str, Any]],
) -> list[tuple[str, list[Any]]]:
    """Return the rows of a workbook's first sheet."""
    simulated = " (simulated: no such trade was made)" if source.mode == "backtest" else ""
    rows: list[tuple[str, list[Any]]] = [
        ("title", [f"Run {source.folder.name}"]),
        ("text", ["mode", source.mode + simulated]),
        ("text", ["from", str(request.first or "the beginning")]),
        ("text", ["to", str(request.last or "the end")]),
        ("text", ["range by", "trading date: trades by their exit, all else by its own time"]),
        ("text", []),
        ("head", ["plan", "account", "strategy", "instrument", "timeframe", "first", "last"]),
    ]
    names = ("plan_id", "account", "strategy", "instrument", "timeframe", "first", "last")
    rows += [("text", [str(plan[name]) for name in names]) for plan in source.summary["plans"]]
    rows += [("text", []), ("head", ["sheet", "rows"])]
    rows += [("text", [name, table.num_rows]) for name, table in tables.items()]
    for name in tables:
        mine = [row for row in totals if row["table"] == name]
        if not mine:
            continue
        money = [column for column in MONEY if any(row.get(column) for row in mine)]
        rows += [("text", []), ("head", [name, "currency", "financial year", "rows", *money])]
        for row in mine:
            sums = [row[column] if row[column] is not None else "" for column in money]
            head = [row["account"], row["currency"], row["financial_year"]]
            rows.append(("money", [*head, float(row["rows"]), *sums]))
    return rows
