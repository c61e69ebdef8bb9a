"""The tables of a finished run as tax and journal want them (columns: docs/export.md).

Every table is an Arrow table whose types say what a cell is: decimals are money (cents), stamps
with a zone are UTC, stamps without one are the market's wall time, `date32` are trading dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from backtests.export.money import cents_that_add_up, split_cents
from core.costs import COST_KINDS
from core.errors import ConfigError, DataError
from core.results import COST_PREFIX, RunFolder
from core.zones import NS_PER_DAY, NS_PER_MINUTE, Times, zone_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]

TABLES = ("trades", "fills", "orders", "equity")
KINDS = (*COST_KINDS, "swap")
"""Kinds of cost that have a column in every export; others are summed up in cost_other."""

INDIAN_DERIVATIVES = ("nse_fo", "mcx")
"""Venues whose futures have a turnover for the Indian tax audit (docs/export.md has the source)."""

APRIL, JANUARY = "india", "calendar"
YEARS = (APRIL, JANUARY)


@dataclass(frozen=True)
class Market:
    """What a plan's rows share.

    roll_ns : a trading day begins this long before local midnight.
    """

    plan_id: str
    account: str
    currency: str
    instrument: str
    quote_currency: str
    venue: str
    zone: str
    roll_ns: int

    def days(self, utc: Times) -> Times:
        """Return the trading-day numbers (since 1970-01-01) of UTC times (ns)."""
        days: Times = (zone_table(self.zone).to_local(utc) + self.roll_ns) // NS_PER_DAY
        return days


class Source:
    """A finished run's files, read once, with what each row's plan says.

    Parameters
    ----------
    folder : RunFolder
    years : str, optional
        'india' (April to March) or 'calendar'; None: by the account's currency.

    Raises
    ------
    ConfigError : the run was made before runs kept what an export needs.
    """

    def __init__(self, folder: RunFolder, years: str | None = None) -> None:
        self.folder = folder
        self.summary = folder.summary
        self.mode = str(self.summary.get("mode", "backtest"))
        self.years = years
        self.markets = _markets(folder, self.summary)
        self._places = {plan_id: i for i, plan_id in enumerate(self.markets)}

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """The run's books."""
        return _whole(self.folder, "ledger.parquet", self.folder.ledger)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """trades.csv, times as int64 ns UTC."""
        return self._csv("trades.csv", ("plan_id", "side", "pattern", "exit_reason"))

    @cached_property
    def orders(self) -> pd.DataFrame:
        """orders.csv, times as int64 ns UTC."""
        texts = ("plan_id", "symbol", "role", "side", "kind", "state", "reason", "rule")
        return self._csv("orders.csv", texts)

    def equity(self, account: str) -> pd.DataFrame:
        """An account's equity curve, times as int64 ns UTC."""
        return self._csv(f"equity-{account}.csv", ())

    def places(self, plan_ids: Any) -> Array:
        """Return each row's plan as its place in `markets`."""
        codes, names = plan_ids.factorize()
        places = np.array([self._places[str(name)] for name in names], np.int64)
        return np.asarray(places[codes])

    def _csv(self, name: str, texts: Iterable[str]) -> pd.DataFrame:
        import pandas as pd

        def read() -> pd.DataFrame:
            frame = pd.read_csv(
                self.folder.path / name,
                dtype=dict.fromkeys(texts, str),
                keep_default_na=False,
                na_values=[""],
            )
            for column in frame.columns:
                if column == "time" or column.endswith(("_time", "_bar")):
                    stamps = pd.to_datetime(frame[column], utc=True, format="ISO8601")
                    frame[column] = stamps.dt.as_unit("ns").astype("int64")
            return frame

        return _whole(self.folder, name, read)


def _whole(folder: RunFolder, name: str, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Read a file of the run; one that is missing or cut short is named."""
    try:
        return read()
    except FileNotFoundError as cause:
        raise ConfigError(f"{folder.path}: {name} is missing; make the run again") from cause
    except (ValueError, OSError) as cause:  # pandas' and Arrow's parsers raise ValueErrors
        text = str(cause).splitlines()[0]
        message = f"cannot be read ({text}); make the run again"
        raise DataError(message, file=str(folder.path / name)) from cause


def _markets(folder: RunFolder, summary: Mapping[str, Any]) -> dict[str, Market]:
    documents = {plan["plan_id"]: plan for plan in folder.run["plans"]}
    markets = {}
    for plan in summary["plans"]:
        facts = documents.get(plan["plan_id"], {}).get("market")
        if facts is None:
            raise ConfigError(
                f"{folder.path}: run.json does not say on which market {plan['plan_id']} traded "
                "(the run was made by an older version); make the run again"
            )
        markets[str(plan["plan_id"])] = Market(
            plan_id=str(plan["plan_id"]),
            account=str(plan["account"]),
            currency=str(plan["currency"]),
            instrument=str(plan["instrument"]),
            quote_currency=str(facts["quote_currency"]),
            venue=str(facts["venue"]),
            zone=str(facts["zone"]),
            roll_ns=int(facts["day_roll_minutes"]) * NS_PER_MINUTE,
        )
    for hand in summary.get("hands", ()):  # orders by hand, on the market of a plan
        markets[str(hand["plan_id"])] = replace(
            markets[str(hand["like"])], plan_id=str(hand["plan_id"])
        )
    return markets


def build(source: Source, table: str) -> pa.Table:
    """Return one of `TABLES`, all rows, oldest first."""
    return {
        "trades": _trades,
        "fills": _fills,
        "orders": _orders,
        "equity": _equity,
    }[table](source)


# -- the tables ------------------------------------------------------------------------------


def _trades(source: Source) -> pa.Table:
    trades, books = source.trades, source.ledger
    rows = _Rows(source, source.places(trades["plan_id"]))
    ids = trades["trade_id"].to_numpy(np.int64)
    entries, exits = (trades[name].to_numpy(np.int64) for name in ("entry_time", "exit_time"))
    booked = _by_trade(books, ids)
    days = rows.days(trades["exit_bar"].to_numpy(np.int64))
    columns = rows.head() | {
        "trade_id": _counts(ids),
        "side": _texts(trades["side"]),
        "quantity": _numbers(trades["quantity"]),
        "trading_date": _dates(days),
        "financial_year": rows.financial_years(days),
        **rows.times("entry_time", entries),
        **rows.times("exit_time", exits),
        "zone": rows.of("zone"),
        "holding_minutes": _numbers((exits - entries) / NS_PER_MINUTE),
        **{name: _numbers(trades[name]) for name in ("entry_price", "exit_price")},
        **{name: _numbers(trades[name]) for name in ("stop", "target")},
        **rows.money(booked.costs, booked.gross, with_net=True),
        "exchange_rate": _numbers(_digits(booked.rate)),
        "fo_turnover": rows.turnover(booked.turnover),
        **{name: _numbers(trades[name]) for name in ("r_multiple", "mae_r", "mfe_r")},
        "entries": _texts(booked.entries),
        "exits": _texts(booked.exits),
        "pattern": _texts(trades["pattern"]),
        "exit_reason": _texts(trades["exit_reason"]),
        "ambiguous": _flags(trades["ambiguous"]),
    }
    return _table(columns)


def _fills(source: Source) -> pa.Table:
    books = source.ledger
    rows = _Rows(source, source.places(books["plan_id"]))
    times = books["time"].to_numpy(np.int64)
    leg = books["leg"].to_numpy(np.int64)
    days = rows.days(books["bar"].to_numpy(np.int64))
    value = books["quantity"] * books["price"] * books["point_value"]
    trade_ids = books["trade_id"].to_numpy(np.int64)
    order_ids = books["order_id"].to_numpy(np.int64)
    columns = rows.head() | {
        "trade_id": _counts(trade_ids, trade_ids > 0),
        "leg": _counts(leg, leg >= 0),
        "order_id": _counts(order_ids, order_ids > 0),
        "trading_date": _dates(days),
        "financial_year": rows.financial_years(days),
        **rows.times("time", times),
        "zone": rows.of("zone"),
        "side": _texts(books["side"]),
        "quantity": _numbers(books["quantity"]),
        "price": _numbers(books["price"]),
        "traded_value": _money(
            np.rint(value.fillna(0.0).to_numpy() * 100.0).astype(np.int64), leg >= 0
        ),
        "reason": _texts(books["reason"]),
        **rows.money(_kinds(books), books["gross"].to_numpy(np.float64), with_net=False),
        "exchange_rate": _numbers(_digits(books["rate"].to_numpy(np.float64))),
    }
    return _table(columns)


def _orders(source: Source) -> pa.Table:
    orders = source.orders
    rows = _Rows(source, source.places(orders["plan_id"]))
    times = orders["time"].to_numpy(np.int64)
    days = rows.days(times - 1)  # stamped with the END of a bar
    parent = orders["parent_id"].fillna(0).to_numpy(np.int64)
    numbers = ("quantity", "price", "limit_price", "filled", "fill_price")
    columns = rows.head() | {
        "order_id": _counts(orders["order_id"].to_numpy(np.int64)),
        "parent_id": _counts(parent, parent > 0),
        **{name: _texts(orders[name]) for name in ("role", "side", "kind", "state")},
        "trading_date": _dates(days),
        "financial_year": rows.financial_years(days),
        **rows.times("time", times),
        "zone": rows.of("zone"),
        **{name: _numbers(orders[name]) for name in numbers},
        **{name: _texts(orders[name]) for name in ("reason", "rule")},
        **{name: _numbers(orders[name]) for name in ("limit", "value")},
    }
    return _table(columns)


def _equity(source: Source) -> pa.Table:
    parts = []
    for account in source.summary["accounts"]:
        first = str(account["plans"][0])
        curve = source.equity(str(account["account"]))
        place = list(source.markets).index(first)
        rows = _Rows(source, np.full(len(curve), place, np.int64))
        times = curve["time"].to_numpy(np.int64)
        days = rows.days(times - 1)  # stamped with the END of a bar
        cents = {
            name: np.rint(curve[name].to_numpy(np.float64) * 100.0).astype(np.int64)
            for name in ("equity", "drawdown")
        }
        columns = rows.account_head() | {
            "trading_date": _dates(days),
            "financial_year": rows.financial_years(days),
            **rows.times("time", times),
            "zone": rows.of("zone"),
            **{name: _money(money) for name, money in cents.items()},
        }
        parts.append(_table(columns))
    return _joined(parts)


# -- what rows share -------------------------------------------------------------------------


class _Rows:
    """Columns that follow from the plan of each row."""

    def __init__(self, source: Source, places: Array) -> None:
        self._source = source
        self._places = places
        self._markets = list(source.markets.values())

    def of(self, name: str) -> Any:
        """Return a field of each row's market as a text column."""
        return _repeated([getattr(market, name) for market in self._markets], self._places)

    def account_head(self) -> dict[str, Any]:
        """Return the columns every table begins with."""
        here = np.zeros(len(self._places), np.int64)
        return {
            "run": _repeated([self._source.folder.name], here),
            "mode": _repeated([self._source.mode], here),
            "account": self.of("account"),
            "currency": self.of("currency"),
        }

    def head(self) -> dict[str, Any]:
        """Return the columns every table of plans begins with."""
        return self.account_head() | {
            "plan": self.of("plan_id"),
            "instrument": self.of("instrument"),
            "quote_currency": self.of("quote_currency"),
        }

    def days(self, utc: Times) -> Times:
        """Return each row's trading-day number."""
        return self._by_market(lambda market, mine: market.days(utc[mine]))

    def times(self, name: str, utc: Times) -> dict[str, Any]:
        """Return a time as two columns: UTC and the market's wall time."""
        local = self._by_market(lambda market, mine: zone_table(market.zone).to_local(utc[mine]))
        return {name: _stamps(utc, "UTC"), f"{name}_local": _stamps(local, None)}

    def financial_years(self, days: Times) -> Any:
        """Return each row's financial year as text: FY2025-26, or 2025."""
        months = days.astype("M8[D]").astype("M8[M]").astype(np.int64)
        april = np.array([_is_april(market, self._source.years) for market in self._markets])
        april = april[self._places]
        begun = (months - 3 * april) // 12 + 1970
        keys = begun * 2 + april
        found, which = np.unique(keys, return_inverse=True)
        return _repeated([_year_text(*divmod(int(key), 2)) for key in found], which)

    def money(self, costs: Mapping[str, Array], gross: Array, *, with_net: bool) -> dict[str, Any]:
        """Return gross_pnl, costs, the costs by kind and (of trades) pnl, in cents."""
        paid = np.zeros(len(gross))
        for money in costs.values():
            paid = paid + money
        if with_net:
            kinds, total, net, before = split_cents(costs, gross - paid, self._places)
        else:
            before = cents_that_add_up(gross, self._places)
            kinds, total, net, _ = split_cents(costs, gross, self._places)
        columns = {"gross_pnl": _money(before), "costs": _money(total)}
        columns |= {f"cost_{kind}": _money(cents) for kind, cents in kinds.items()}
        return columns | ({"pnl": _money(net)} if with_net else {})

    def turnover(self, turnover: Array) -> Any:
        """Return the turnover of Indian derivatives; of others it is empty."""
        indian = np.array([market.venue in INDIAN_DERIVATIVES for market in self._markets])
        return _money(cents_that_add_up(turnover, self._places), indian[self._places])

    def _by_market(self, function: Callable[[Market, Array], Array]) -> Times:
        found = np.empty(len(self._places), np.int64)
        for place in np.unique(self._places):
            mine = self._places == place
            found[mine] = function(self._markets[int(place)], mine)
        return found


def _is_april(market: Market, years: str | None) -> bool:
    """Say whether an account's financial year begins in April."""
    return (years or (APRIL if market.currency == "INR" else JANUARY)) == APRIL


def _year_text(year: int, april: int) -> str:
    return f"FY{year}-{(year + 1) % 100:02d}" if april else str(year)


@dataclass(frozen=True)
class _Booked:
    """What the books say of each trade, account currency, full precision.

    turnover : the sum of what its exits differ from their entries by, without sign.
    rate : account money per quote money at its last exit.
    entries, exits : its fills as text.
    """

    costs: dict[str, Array]
    gross: Array
    turnover: Array
    rate: Array
    entries: list[str]
    exits: list[str]


def _by_trade(books: pd.DataFrame, ids: Array) -> _Booked:
    booked = books["trade_id"].to_numpy(np.int64)
    place = np.full(max(ids.max(initial=0), booked.max(initial=0)) + 1, -1, np.int64)
    place[ids] = np.arange(len(ids))
    of = place[booked]
    closed = of >= 0
    part, of = books[closed], of[closed]

    def total(values: Array) -> Array:
        return np.bincount(of, values, len(ids))

    gross = part["gross"].to_numpy(np.float64)
    rate = np.full(len(ids), np.nan)
    leg = part["leg"].to_numpy(np.int64)
    exits = leg > 0
    rate[of[exits]] = part["rate"].to_numpy(np.float64)[exits]  # the last one stays
    texts: tuple[list[list[str]], list[list[str]]] = ([[] for _ in ids], [[] for _ in ids])
    legs = zip(
        of.tolist(), leg.tolist(), part["quantity"].tolist(), part["price"].tolist(),
        part["reason"].tolist(), strict=True,
    )  # fmt: skip
    for trade, number, quantity, price, reason in legs:
        if number == 0:
            texts[0][trade].append(f"{quantity:.10g} @ {price:.10g}")
        elif number > 0:
            texts[1][trade].append(f"{quantity:.10g} @ {price:.10g} {reason}")
    return _Booked(
        costs={kind: total(money) for kind, money in _kinds(part).items()},
        gross=total(gross),
        turnover=total(np.abs(gross)),
        rate=rate,
        entries=["; ".join(found) for found in texts[0]],
        exits=["; ".join(found) for found in texts[1]],
    )


def _kinds(books: pd.DataFrame) -> dict[str, Array]:
    """Return the costs by kind: all of KINDS, and `other` for any kind besides."""
    found = {
        name[len(COST_PREFIX) :]: books[name].to_numpy(np.float64)
        for name in books.columns
        if name.startswith(COST_PREFIX)
    }
    nothing = np.zeros(len(books))
    kinds = {kind: found.pop(kind, nothing) for kind in KINDS}
    return kinds | {"other": sum(found.values(), nothing)}


# -- columns ---------------------------------------------------------------------------------


def _table(columns: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table(columns)


def _joined(tables: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables).combine_chunks()


def _repeated(names: list[str], places: Array) -> Any:
    import pyarrow as pa

    return pa.array(names, pa.string()).take(pa.array(places, pa.int64()))


def _texts(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.string(), from_pandas=True)


def _numbers(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(np.asarray(values, np.float64) + 0.0, pa.float64(), from_pandas=True)


def _counts(values: Array, known: Array | None = None) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.int64(), mask=None if known is None else ~known)


def _flags(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(np.asarray(values, bool), pa.bool_())


def _dates(days: Times) -> Any:
    import pyarrow as pa

    return pa.array(days.astype("M8[D]"), pa.date32())


def _stamps(ns: Times, zone: str | None) -> Any:
    import pyarrow as pa

    return pa.array(ns // 1000, pa.int64()).cast(pa.timestamp("us", zone))


def _money(cents: Array, known: Array | None = None) -> Any:
    """Return cents as decimals with two places."""
    import pyarrow as pa

    words = np.empty((len(cents), 2), np.int64)  # a 128-bit integer, low word first
    words[:, 0], words[:, 1] = cents, cents >> 63
    mask = None
    if known is not None:
        mask = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [mask, pa.py_buffer(words)])


def _digits(values: Array) -> Array:
    """Return numbers with ten digits that count: a quotient without its last places' dust."""
    found, which = np.unique(values, return_inverse=True)
    return np.asarray(np.array([float(f"{value:.10g}") for value in found], np.float64)[which])
