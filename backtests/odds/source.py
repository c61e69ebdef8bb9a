"""Where a study's trades come from: a run folder, or a run of a plan made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from backtests.identity import sha256_of
from backtests.odds.sample import Sample, sample_of
from backtests.request import BacktestRequest
from backtests.results.summary import plain_params
from core.errors import ConfigError, TolaError
from core.results import RunFolder
from core.zones import NS_PER_DAY
from risk.settings import RiskSettings
from strategies.base import SetupStrategy

Array = np.ndarray[Any, np.dtype[Any]]

SEARCHES = ("sweep", "walkforward")
"""Modes of runs that hold no run's trades."""


@dataclass
class Source:
    """A plan's trades, and what it takes to make them again under other conditions.

    name : of the run, "" for a run made now. sample : its trades. request : of that plan alone,
    None where it cannot be run again (`why_not` says why). zone : of its market.
    """

    name: str
    plan_id: str
    sample: Sample
    first: str
    last: str
    request: BacktestRequest | None
    why_not: str = ""

    @property
    def is_compiled(self) -> bool:
        """Whether it can be made again by the compiled engine."""
        return self.request is not None and issubclass(
            self.request.plans[0].strategy, SetupStrategy
        )


def source_of_plan(request: BacktestRequest, progress: Any) -> Source:
    """Return the trades of a plan, run now in Backtrader.

    Raises
    ------
    ConfigError : several plans. DataError : too few trades.
    """
    from backtests.engine import run_account
    from backtests.runner import load_account

    if len(request.plans) != 1:
        names = ", ".join(plan.plan.name for plan in request.plans)
        raise ConfigError(f"odds take one plan or run at a time; name one of: {names}")
    account, plan = request.accounts[0], request.plans[0]
    loaded = load_account(account, request)
    run = run_account(account, loaded, request.settings, request.settings.intrabar, progress)
    if run.interrupted:
        raise KeyboardInterrupt
    bars = loaded[0].series.bars
    sample = sample_of(
        run.broker.ledger.trades, bars, plan.instrument, plan.fx, account.cash, account.currency,
        by_share=issubclass(plan.strategy, SetupStrategy),
    )  # fmt: skip
    return Source("", plan.plan_id, sample, _day(bars["day"][0]), _day(bars["day"][-1]), request)


def _day(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


def source_of_run(folder: RunFolder, plan_id: str | None, config: str) -> Source:
    """Return the trades of a finished run's plan.

    Parameters
    ----------
    plan_id : which of a run of several. config : the settings file, for what else a plan needs.

    Raises
    ------
    ConfigError : no such plan, or several to choose from. DataError : too few trades.
    """
    summary = folder.summary
    mode = summary.get("mode", "backtest")
    if mode in SEARCHES:
        raise ConfigError(
            f"run {folder.name} is a {mode}: it holds no run's trades; name a backtest or a session"
        )
    document = folder.run
    told = _plan_row(summary["plans"], plan_id, folder.name)
    row = next(item for item in document["plans"] if item["plan_id"] == told["plan_id"])
    account = next(item for item in summary["accounts"] if item["account"] == told["account"])
    request, why_not = request_again(document, row, account, config)
    strategy = None if request is None else request.plans[0].strategy
    instrument, rate = _instrument(document, row), _rate(folder, told["plan_id"])
    frame = folder.trades
    frame = frame[frame["plan_id"] == told["plan_id"]]
    trades = [_trade(item) for item in frame.to_dict("records")]
    frame = folder.bars(told["plan_id"])
    bars = {name: frame[name].to_numpy() for name in ("start", "day")}
    sample = sample_of(
        trades, bars, instrument, rate, float(account["cash_start"]), account["currency"],
        by_share=strategy is not None and issubclass(strategy, SetupStrategy),
    )  # fmt: skip
    days = bars["day"]
    return Source(
        folder.name, told["plan_id"], sample, _day(days[0]), _day(days[-1]), request, why_not
    )


def _plan_row(rows: Sequence[Mapping[str, Any]], plan_id: str | None, name: str) -> Any:
    names = [str(row["plan_id"]) for row in rows]
    if plan_id is None and len(rows) == 1:
        return rows[0]
    if plan_id not in names:
        said = "which plan?" if plan_id is None else f"no plan {plan_id!r}:"
        raise ConfigError(f"run {name}: {said} name one with --plan: {', '.join(names)}")
    return rows[names.index(plan_id)]


def _trade(row: Mapping[str, Any]) -> Any:
    """Return a row of trades.csv as a trade: times in ns, what is empty as None."""
    known: dict[str, Any] = {k: None if value != value else value for k, value in row.items()}
    for name in ("entry_bar", "exit_bar", "entry_time", "exit_time"):
        known[name] = known[name].value
    return SimpleNamespace(**known, planned_risk=None)


def _instrument(document: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
    from core.instruments import get_instrument

    own = document["settings"].get("settings.instruments", {}).get("value")
    return get_instrument(row["instrument"], row["instrument_set"], own)


def _rate(folder: RunFolder, plan_id: str) -> Any:
    """Return the rates at which the run's fills were booked."""
    from core.fx import FxRate

    books = folder.ledger()
    books = books[books["plan_id"] == plan_id].sort_values("time", kind="stable")
    times, rates = books["time"].to_numpy(np.int64), books["rate"].to_numpy(float)
    known = rates == rates
    return FxRate("", "", times[known], rates[known], 10**5 * NS_PER_DAY)


def request_again(
    document: Mapping[str, Any], row: Mapping[str, Any], account: Mapping[str, Any], config: str
) -> tuple[BacktestRequest | None, str]:
    """Return the request that makes a run's plan again, alone; else None and why not."""
    from backtests.resolve import resolve

    settings = {name: item["value"] for name, item in document["settings"].items()}
    files = list(row["data"]["files"])
    further = {name: item.get("path") for name, item in row["further"].items()}
    gone = [str(path) for path in (*files, *further.values()) if not Path(str(path)).is_file()]
    if gone:
        return None, f"{gone[0]} is gone"
    if len(files) == 1 and row["data"].get("sha256") not in (None, sha256_of(files[0])):
        return None, f"{files[0]} has changed since the run"
    flags = {
        "data": files,
        "instrument": row["instrument"],
        "timeframe": row["timeframe"],
        "params": _given_params(row),
        "with": [f"{name}={path}" for name, path in further.items()] or None,
        "instrument_set": [f"{k}={_text(v)}" for k, v in row["instrument_set"].items()] or None,
        "from": row["from"],
        "to": row["to"],
        "cash": float(account["cash_start"]),
    }
    for name in ("costs", "margin", "fills", "intrabar"):
        flags[name] = settings.get(f"settings.{name}")
    try:
        request = resolve([row["strategy"]], flags, config)
    except TolaError as error:
        return None, str(error)
    made = {name: _plain(value) for name, value in plain_params(request.plans[0].params).items()}
    if made != {name: _plain(value) for name, value in row["params"].items()}:
        return None, "its parameters cannot be set again"
    if request.accounts[0].currency != account["currency"]:
        return None, f"its account was in {account['currency']}"
    return request, ""


def _given_params(row: Mapping[str, Any]) -> list[str]:
    """Return the parameters that are not the strategy's own, as flags give them."""
    import strategies

    own: dict[str, Any] = {}
    if row["strategy"] in strategies.names():
        own = {item.name: item.default for item in getattr(strategies.get(row["strategy"]),
                                                           "settings", ())}  # fmt: skip
    return [
        f"{name}={_text(value)}"
        for name, value in row["params"].items()
        if name not in own or _plain(own[name]) != value
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def without_losses(settings: RiskSettings) -> RiskSettings:
    """Return limits without those that depend on what was lost or won before.

    Paths play these; the trades that paths are drawn from must not have met them.
    """
    return replace(
        settings, daily_loss=None, daily_loss_pct=None, trailing_drawdown=None,
        consistency_pct=None, profit_target=None, max_trades_day=None, max_losses_row=None,
    )  # fmt: skip
