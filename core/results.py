"""The run folder: names, columns, and how results are written and read.

A run is published whole: everything is written into a hidden sibling folder, which is renamed
to its final name at the end, so a half-written run never looks like a finished one. Reports
read runs through `RunFolder` and nothing else.

Files
-----
run.json      all that is needed to run it again (plans, parameters with origin, data hashes)
summary.json  the object `backtest --json` prints
trades.csv fills.csv orders.csv setups.csv   tables of all plans, times UTC ISO 8601
equity-ACCOUNT.csv days-ACCOUNT.csv   one each per account (a run of one account: the same names)
funnel.json   counts from bars to fills, {plan_id: {...}}
bars-PLAN.parquet, zones-PLAN.csv   what the chart shows, per plan
report.html, plots/*.png   written by reports

summary.json
------------
`run`, `mode`, `seconds`, `interrupted`, `files`; `accounts`: a list of {account, currency,
cash_start, equity_end, net_profit, return_pct, max_drawdown_pct, worst_day, plans: [plan_id]};
`plans`: a list with one object a plan, holding the fields of `backtest --json` (strategy,
instrument, timeframe, trades, profit_factor, costs, refused, risk, band, ...) with `plan_id` and
`account`; `correlation` of daily P&L where an account runs several plans. A run of one plan also
carries that plan's fields at the top level.
"""

from __future__ import annotations

import csv
import glob
import json
import math
import os
import platform
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ConfigError, TolaError
from core.files import put_in_place, replacing
from core.parquet import write_columns
from core.processes import is_running
from core.wording import plural

if TYPE_CHECKING:
    import pandas as pd

TRADE_COLUMNS = (
    "trade_id", "plan_id", "entry_bar", "exit_bar", "entry_time", "exit_time", "side", "quantity",
    "entry_price", "exit_price", "stop", "target", "pnl", "costs", "r_multiple", "mae_r", "mfe_r",
    "legs", "pattern", "exit_reason", "ambiguous",
)  # fmt: skip
"""trades.csv; `*_bar` is START of the bar holding the fill, pnl is net of costs in account
currency, r_multiple is empty without a stop."""

FILL_COLUMNS = ("trade_id", "leg", "time", "side", "quantity", "price", "reason", "costs")
ORDER_COLUMNS = (
    "order_id", "plan_id", "symbol", "role", "side", "kind", "quantity", "price", "limit_price",
    "state", "time", "filled", "fill_price", "parent_id", "reason", "rule", "limit", "value",
)  # fmt: skip
"""orders.csv; one row for each state an order enters, oldest first."""

SETUP_COLUMNS = (
    "plan_id", "bar", "side", "entry", "stop", "target", "pattern", "taken", "reason", "cancel",
)  # fmt: skip
EQUITY_COLUMNS = ("time", "equity", "drawdown")
"""equity-ACCOUNT.csv; END of each bar on which equity changed, account currency; drawdown <= 0."""

DAY_COLUMNS = (
    "day", "start_equity", "low_equity", "end_equity", "pnl", "limit", "headroom", "trades",
    "locked", "rule",
)  # fmt: skip
"""days-ACCOUNT.csv; headroom = what could still have been lost at the worst moment of the day."""

ZONE_COLUMNS = ("kind", "side", "known", "end", "top", "bottom", "origin")
"""zones-PLAN.csv; known and end are bar indices (end -1: still open at the end of data), origin
the bar the zone was taken from. A zone may be drawn from `known` on, never before."""

LEDGER_COLUMNS = (
    "account", "plan_id", "trade_id", "leg", "order_id", "time", "bar", "side", "quantity", "price",
    "reason", "gross", "point_value", "rate",
)  # fmt: skip
"""ledger.parquet; before one `cost:KIND` column for each kind of cost the run met (account
currency, positive = paid). A row is a fill, or a cost that is no fill's (leg -1, order_id 0, no
quantity or price; trade_id 0: no trade was open). Times are ns UTC, gross is what a fill realised
before costs, rate is account money per 1.0 of quote money."""

COST_PREFIX = "cost:"

_PARTIAL = ".partial"
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")

_EPOCH = date(1970, 1, 1)

INTERRUPTED_MARK = "interrupted"

_MONEY = frozenset(
    {"pnl", "costs", "equity", "drawdown", "start_equity", "low_equity", "end_equity", "headroom"}
)


def iso_time(ns: int) -> str:
    """Return int64 ns UTC as ISO 8601 with Z, with as many decimals as it needs."""
    seconds, rest = divmod(int(ns), 1_000_000_000)
    days, second = divmod(seconds, 86_400)
    text = f"{_iso_date(days)}T{_iso_clock(second)}"
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else text + "Z"


@lru_cache(maxsize=100_000)
def _iso_date(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).isoformat()


@lru_cache(maxsize=86_400)
def _iso_clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _format_of(column: str) -> str:
    """Return how a column's floats are written: money to the cent (half even), R to six digits."""
    if column in _MONEY:
        return ".2f"
    return ".6f" if column.endswith("_r") or column == "r_multiple" else ".10g"


def _cell(value: Any, numbers: str) -> str:
    """Return one CSV cell: floats by the column's format, None and NaN empty."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is float:
        return "" if value != value else format(value, numbers)
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, float | np.floating):
        number = float(value)
        return "" if math.isnan(number) else format(number, numbers)
    return str(value)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV with a header; a row's missing columns are empty."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        formats = [(column, _format_of(column)) for column in columns]
        writer.writerows(
            [_cell(row.get(column), numbers) for column, numbers in formats] for row in rows
        )


def _plain(value: Any) -> Any:
    """Return a JSON-fit value: numpy scalars to Python's, NaN and infinities to null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return value.as_posix()
    return value


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Return strict JSON (no NaN) of a result object."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document so that a reader finds the old one or the new one, never a part."""
    with replacing(path) as fresh:
        fresh.write_text(json_text(value) + "\n", encoding="utf-8")


def remove_abandoned(parent: Path, stem: str = "run") -> None:
    """Remove what killed runs of this computer left half written in a folder.

    What a living process writes stays, and what another computer does. stem : "run", or the name
    of the folder that was wished.
    """
    for path in parent.glob(f"{glob.escape(_partial_stem(stem))}*{_PARTIAL}"):
        number = path.name.removeprefix(_partial_stem(stem)).partition("-")[0]
        if number.isdigit() and not is_running(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _partial_stem(stem: str) -> str:
    return f".{stem}-{_NOT_IN_NAMES.sub('_', platform.node())}-"


class RunWriter:
    """Write one run folder and publish it whole.

    Use as a context manager; on a clean exit the folder gets its final name, on an error it is
    removed; what a killed run left, the next one removes.

    Parameters
    ----------
    runs : Path
        The folder of runs; the run becomes runs/0001, runs/0002, ...
    out : Path, optional
        Exact folder instead.

    Raises
    ------
    ConfigError : `out` exists already, or the folder cannot be made.
    """

    def __init__(self, runs: Path, out: Path | None = None) -> None:
        if out is not None and out.exists():
            raise ConfigError(f"--out {out}: exists already; name a new folder or remove it")
        self._runs = runs
        self._out = out
        parent = runs if out is None else out.parent
        stem = "run" if out is None else out.name
        remove_abandoned(parent, stem)
        mark = f"{os.getpid()}-{time.time_ns():x}"  # a killed run's process number may come again
        self.path = parent / f"{_partial_stem(stem)}{mark}{_PARTIAL}"
        try:
            self.path.mkdir(parents=True)
        except OSError as cause:
            raise ConfigError(
                f"{parent}: cannot write a run folder there ({cause.strerror}); use --out"
            ) from cause

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            if isinstance(error, OSError):
                raise TolaError(
                    f"the run could not be written ({error}); nothing was kept: "
                    "free space or choose another folder with --out"
                ) from error

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a CSV table of the run."""
        write_table(self.path / name, columns, rows)

    def json(self, name: str, value: Any) -> None:
        """Write a JSON document of the run."""
        (self.path / name).write_text(json_text(value) + "\n", encoding="utf-8")

    def bars(self, plan_id: str, bars: np.ndarray[Any, Any]) -> None:
        """Write a plan's bars (BAR array) as Parquet."""
        names = (
            "start", "end", "open", "high", "low", "close", "volume", "day", "spread", "flat_at",
        )  # fmt: skip
        write_columns(
            self.path / f"bars-{plan_id}.parquet",
            {name: bars[name] for name in names},
            rising=("start", "end"),
            repeating=("volume", "day", "spread", "flat_at"),
        )

    def ledger(self, columns: Mapping[str, Any]) -> None:
        """Write the accounts' books as Parquet: LEDGER_COLUMNS, then the kinds of cost."""
        write_columns(self.path / "ledger.parquet", columns)

    def publish(self) -> RunFolder:
        """Give the folder its final name.

        Raises
        ------
        ConfigError : the wished name has come to exist meanwhile.
        """
        if self._out is not None:
            try:
                put_in_place(self.path, self._out)
            except OSError as cause:
                raise ConfigError(f"--out {self._out}: exists already; name a new one") from cause
            return RunFolder(self._out)
        while True:
            final = self._runs / f"{_next_number(self._runs):04d}"
            try:
                put_in_place(self.path, final)
            except OSError:
                if not final.exists():
                    raise
                continue
            return RunFolder(final)


def _next_number(runs: Path) -> int:
    numbers = [int(entry.name) for entry in runs.iterdir() if entry.name.isdigit()]
    return max(numbers, default=0) + 1


def list_runs(runs: Path) -> list[RunFolder]:
    """Return the finished runs of a folder, oldest first."""
    if not runs.is_dir():
        return []
    found = [entry for entry in runs.iterdir() if (entry / "summary.json").is_file()]
    return [RunFolder(entry) for entry in sorted(found, key=_age)]


def _age(path: Path) -> tuple[int, int, str]:
    numbered = path.name.isdigit()
    return (int(not numbered), int(path.name) if numbered else 0, path.name)


def find_run(wanted: str, runs: Path) -> RunFolder:
    """Return a run by 'last', '-1' (from the end), its number, a unique prefix, or its path.

    Raises
    ------
    ConfigError : there is no such run, or the prefix is not unique.
    """
    known = list_runs(runs)
    if wanted == "last" or (wanted.startswith("-") and wanted[1:].isdigit()):
        back = 1 if wanted == "last" else int(wanted[1:])
        if not 1 <= back <= len(known):
            held = plural(len(known), "run")
            raise ConfigError(f"run {wanted!r}: {runs} holds {held}; make one: backtest")
        return known[-back]
    if (Path(wanted) / "summary.json").is_file():
        return RunFolder(Path(wanted))
    place = Path(wanted) if len(Path(wanted).parts) > 1 else runs / wanted.zfill(4)
    if place.is_dir() and place.name not in {run.name for run in known}:
        raise ConfigError(
            f"{place.as_posix()}: holds no summary.json; it is no run, or one that did not finish: "
            "make it again"
        )
    matches = [run for run in known if run.name.startswith(wanted)]
    exact = [run for run in known if run.name in (wanted, wanted.zfill(4))]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    if matches:
        names = ", ".join(run.name for run in matches)
        raise ConfigError(f"run {wanted!r} is not unique: {names}")
    there = f"{runs} holds {known[0].name} to {known[-1].name}" if known else f"{runs} holds none"
    raise ConfigError(f"unknown run {wanted!r}: {there}; see them: python run.py runs list")


class RunFolder:
    """A finished run, read lazily. Tables are DataFrames with the columns named above."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def _json(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError as cause:
            raise ConfigError(f"{self.path}: {name} is missing; is this a run folder?") from cause
        except ValueError as cause:
            raise ConfigError(f"{self.path / name}: not valid JSON ({cause})") from cause

    @property
    def summary(self) -> dict[str, Any]:
        """The object `backtest --json` printed; ConfigError if the file holds something else."""
        summary = self._json("summary.json")
        for name in ("plans", "accounts"):
            if not isinstance(summary, dict) or not isinstance(summary.get(name), list):
                raise ConfigError(f"{self.path}: summary.json lacks {name!r}; make the run again")
        return dict(summary)

    @property
    def is_sweep(self) -> bool:
        """Whether it holds the figures of many parameter sets, and the trades of none."""
        return self.summary.get("mode") == "sweep"

    @property
    def is_walk(self) -> bool:
        """Whether it is a walk-forward: figures and equity of windows."""
        return self.summary.get("mode") == "walkforward"

    def check_trades(self, verb: str) -> None:
        """Refuse a sweep or a walk-forward where a verb needs the trades of one run.

        Raises
        ------
        ConfigError : it is one.
        """
        if self.is_sweep or self.is_walk:
            what = "sweep" if self.is_sweep else "walk-forward"
            raise ConfigError(
                f"run {self.name} is a {what}: it holds figures of many parameter sets, the trades "
                f"of none; run one of them as a backtest, then {verb}"
            )

    @property
    def run(self) -> dict[str, Any]:
        """All that is needed to run it again."""
        run: dict[str, Any] = self._json("run.json")
        return run

    @property
    def funnel(self) -> dict[str, Any]:
        """Counts from bars to fills, by plan."""
        funnel: dict[str, Any] = self._json("funnel.json")
        return funnel

    def table(self, name: str) -> pd.DataFrame:
        """Return a CSV of the run; columns that hold times become aware UTC stamps."""
        import pandas as pd

        frame = pd.read_csv(self.path / name, dtype={"plan_id": str})  # a plan may be named 01
        for column in frame.columns:
            if column == "time" or column.endswith(("_time", "_bar")) or column == "bar":
                frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
        return frame

    def equity(self, account: str) -> pd.DataFrame:
        """Return an account's equity curve: time, equity, drawdown (account currency)."""
        return self.table(f"equity-{account}.csv")

    def days(self, account: str) -> pd.DataFrame:
        """Return an account's trading days as the daily-loss analyzer saw them."""
        return self.table(f"days-{account}.csv")

    @property
    def trades(self) -> pd.DataFrame:
        """trades.csv."""
        return self.table("trades.csv")

    def ledger(self) -> pd.DataFrame:
        """Return the accounts' books: LEDGER_COLUMNS and the kinds of cost, times in ns UTC.

        Raises
        ------
        ConfigError : the run was made before runs kept their books.
        """
        import pandas as pd

        path = self.path / "ledger.parquet"
        if not path.is_file():
            raise ConfigError(
                f"{self.path}: ledger.parquet is missing (the run was made by an older version); "
                "make the run again: python run.py backtest ..."
            )
        return pd.read_parquet(path)

    @property
    def plans(self) -> list[str]:
        """The plans whose bars this run holds."""
        return sorted(entry.stem[len("bars-") :] for entry in self.path.glob("bars-*.parquet"))

    def bars(self, plan_id: str) -> pd.DataFrame:
        """Return a plan's bars: start, end, flat_at (ns UTC), prices, volume, day, spread."""
        import pandas as pd

        return pd.read_parquet(self.path / f"bars-{plan_id}.parquet")

    def zones(self, plan_id: str) -> pd.DataFrame:
        """Return a plan's drawn zones (empty where it draws none)."""
        import pandas as pd

        path = self.path / f"zones-{plan_id}.csv"
        return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=list(ZONE_COLUMNS))
