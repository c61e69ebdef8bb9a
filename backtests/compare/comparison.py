"""What differs between finished runs: settings, figures, trades; the first run is the base.

Trades are matched by the START of the bar that holds the entry, and the side. Runs are paired, so
their difference is judged on pairs: common trades, and trading days both runs saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from backtests.compare.settings import differing_settings
from backtests.compare.trades import compare_days, compare_trades
from core.errors import ConfigError, DataError, TolaError
from core.fx import find_rate
from core.results import RunFolder

Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True, eq=False)
class Entrant:
    """One run's plan in a comparison.

    label : the run's name, with its folder where two names are equal.
    rate : the base's currency per 1.0 of this run's.
    """

    label: str
    folder: RunFolder
    plan: Mapping[str, Any]
    rate: float = 1.0

    @cached_property
    def account(self) -> Mapping[str, Any]:
        """The summary of the plan's account."""
        accounts = self.folder.summary["accounts"]
        found: Mapping[str, Any] = next(
            account for account in accounts if account["account"] == self.plan["account"]
        )
        return found

    @cached_property
    def trades(self) -> pd.DataFrame:
        """The plan's closed trades, money in the base's currency."""
        trades = _read(self.folder, "trades.csv")
        mine: pd.DataFrame = trades[trades["plan_id"] == self.plan["plan_id"]].copy()
        for name in ("pnl", "costs"):
            mine[name] = mine[name].astype(float) * self.rate
        return mine

    def trades_within(self, span: Span) -> pd.DataFrame:
        """Return the trades that lie in a time, numbered from 0."""
        inside = (self.trades["entry_bar"] >= span[0]) & (self.trades["exit_time"] <= span[1])
        return self.trades[inside].reset_index(drop=True)

    def days_within(self, span: Span) -> pd.Series:
        """Return the trading days that lie in a time."""
        first, last = (f"{stamp:%Y-%m-%d}" for stamp in span)
        return self.days[(self.days.index >= first) & (self.days.index <= last)]

    @cached_property
    def days(self) -> pd.Series:
        """P&L of the account's trading days in percent of its starting cash, by date."""
        days = _read(self.folder, f"days-{self.plan['account']}.csv")
        share = days["pnl"].astype(float) / float(self.account["cash_start"]) * 100.0
        return pd.Series(share.to_numpy(), index=days["day"].astype(str).to_numpy())


def _read(folder: RunFolder, name: str) -> pd.DataFrame:
    try:
        return folder.table(name)
    except FileNotFoundError as cause:
        raise DataError("is missing; make the run again", file=str(folder.path / name)) from cause
    except ValueError as cause:
        text = f"cannot be read ({str(cause).splitlines()[0]}); make the run again"
        raise DataError(text, file=str(folder.path / name)) from cause


def compare(folders: Sequence[RunFolder], rates: Mapping[str, float]) -> dict[str, Any]:
    """Return the comparison of two or more runs; the first is the base.

    Parameters
    ----------
    rates : mapping of a pair such as "USDINR" to its rate
        Needed where accounts are in different currencies.

    Raises
    ------
    ConfigError : fewer than two runs, one twice, a missing rate.
    TolaError : the runs have no instrument or no time in common; a run's file is broken.
    """
    labels = _labels(folders)
    groups = _groups(folders, labels, rates)
    return {
        "base": labels[0],
        "runs": [_run_row(folder, label) for folder, label in zip(folders, labels, strict=True)],
        "notes": _notes(folders, labels, groups),
        "differs": differing_settings(groups),
        "plans": [_group_document(group) for group in groups],
    }


def _labels(folders: Sequence[RunFolder]) -> list[str]:
    if len(folders) < 2:
        raise ConfigError("one run is no comparison: name two or more, such as: runs compare -2 -1")
    places = [folder.path.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"run {folder.name} is named twice: name another run")
    names = [folder.name for folder in folders]
    return [
        name if names.count(name) == 1 else f"{place.parent.name}/{name}"
        for name, place in zip(names, places, strict=True)
    ]


def _run_row(folder: RunFolder, label: str) -> dict[str, Any]:
    summary = folder.summary
    return {
        "label": label,
        "run": folder.path.as_posix(),
        "mode": summary.get("mode", "backtest"),
        "plans": [plan["plan_id"] for plan in summary["plans"]],
        "interrupted": bool(summary.get("interrupted")),
    }


# -- which plans stand side by side ----------------------------------------------------------


def _groups(
    folders: Sequence[RunFolder], labels: Sequence[str], rates: Mapping[str, float]
) -> list[list[Entrant]]:
    """Return the plans that all runs have, each as one entrant a run, base first."""
    plans = [folder.summary["plans"] for folder in folders]
    named = {plan["plan_id"] for plan in plans[0]}
    groups = []
    for plan in plans[0]:
        partners = [_partner(plan, others, named) for others in plans[1:]]
        if all(partner is not None for partner in partners):
            found = [plan, *(partner for partner in partners if partner is not None)]
            groups.append(_group(folders, labels, found, rates))
    if not groups:
        held = "; ".join(
            f"{label}: {', '.join(sorted({plan['instrument'] for plan in found}))}"
            for label, found in zip(labels, plans, strict=True)
        )
        raise TolaError(f"the runs share no instrument ({held}): compare runs of one instrument")
    apart = [found for found in groups if _span(found) is None]
    if len(apart) == len(groups):
        spans = "; ".join(
            f"{one.label}: {one.plan['first'][:10]} to {one.plan['last'][:10]}" for one in apart[0]
        )
        raise TolaError(
            f"the runs have no time in common ({spans}): make them with the same --from and --to"
        )
    return [found for found in groups if _span(found) is not None]


def _partner(
    plan: Mapping[str, Any], others: Sequence[Mapping[str, Any]], named: set[str]
) -> Mapping[str, Any] | None:
    """Return another run's plan of the same name and instrument, else its only one of that.

    A plan of another name that the base has too is that one's partner.
    """
    same = [other for other in others if other["instrument"] == plan["instrument"]]
    for other in same:
        if other["plan_id"] == plan["plan_id"]:
            return other
    free = [other for other in same if other["plan_id"] not in named]
    return free[0] if len(free) == 1 else None


def _group(
    folders: Sequence[RunFolder],
    labels: Sequence[str],
    plans: Sequence[Mapping[str, Any]],
    rates: Mapping[str, float],
) -> list[Entrant]:
    base = str(plans[0]["currency"])
    return [
        Entrant(label, folder, plan, _rate(label, str(plan["currency"]), labels[0], base, rates))
        for label, folder, plan in zip(labels, folders, plans, strict=True)
    ]


def _rate(label: str, own: str, base_label: str, base: str, rates: Mapping[str, float]) -> float:
    if own == base:
        return 1.0
    if own + base not in rates and base + own not in rates:
        raise ConfigError(
            f"run {base_label} is in {base}, {label} in {own}: their money cannot be compared "
            f"without a rate; give one: --fx {own}{base}=RATE"
        )
    return find_rate(own, base, dict(rates)).at(0)


def _span(group: Sequence[Entrant]) -> Span | None:
    """Return the time all runs of a group cover, None where there is none."""
    if not all(one.plan["bars"] for one in group):
        return None
    first = max(pd.Timestamp(one.plan["first"]) for one in group)
    last = min(pd.Timestamp(one.plan["last"]) for one in group)
    return (first, last) if first < last else None


def _notes(
    folders: Sequence[RunFolder], labels: Sequence[str], groups: Sequence[Sequence[Entrant]]
) -> list[str]:
    """Return what a reader must know before the figures."""
    notes = []
    for folder, label in zip(folders, labels, strict=True):
        if folder.summary.get("interrupted"):
            notes.append(f"{label} was interrupted: its figures end early")
    if len(folders) > 2:
        notes.append(
            f"{len(folders) - 1} runs against one base: each interval is 95 % on its own; of so "
            "many, one that shows a difference may be luck"
        )
    shared = {one.plan["plan_id"] for group in groups for one in group}
    for folder, label in zip(folders, labels, strict=True):
        alone = [p["plan_id"] for p in folder.summary["plans"] if p["plan_id"] not in shared]
        if alone:
            notes.append(f"{label}: {', '.join(alone)} has no partner in every run and is left out")
    for group in groups:
        notes += _group_notes(group)
    return notes


def _group_notes(group: Sequence[Entrant]) -> list[str]:
    plan_id, span = group[0].plan["plan_id"], _span(group)
    notes = []
    if span is not None and len({(one.plan["first"], one.plan["last"]) for one in group}) > 1:
        notes.append(
            f"{plan_id}: the runs cover different times; figures are of each whole run, trades and "
            f"days are compared from {span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}"
        )
    if len({one.plan["timeframe"] for one in group}) > 1:
        notes.append(f"{plan_id}: the timeframes differ, so few entries share a bar")
    shared = [one.label for one in group if len(one.account["plans"]) > 1]
    if shared:
        notes.append(
            f"{plan_id}: equity and days are those of the whole account, which in "
            f"{', '.join(shared)} trades other plans too"
        )
    if len({one.account["cash_start"] * one.rate for one in group}) > 1:
        notes.append(f"{plan_id}: starting cash differs; compare percent and R rather than money")
    if any(one.rate != 1.0 for one in group):
        given = ", ".join(
            f"1 {one.plan['currency']} = {one.rate:.6g} {group[0].plan['currency']}"
            for one in group
            if one.rate != 1.0
        )
        notes.append(f"{plan_id}: money is in {group[0].plan['currency']} ({given})")
    return notes


# -- figures ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A key figure: its name in the summary, and how it is shown.

    unit : count, %, R, or x (a plain ratio); of money, `paid ` where it has no sign.
    """

    name: str
    text: str
    unit: str = ""
    is_money: bool = False
    scale: float = 1.0


FIGURES = (
    Figure("trades", "trades", "count"),
    Figure("win_rate", "winners", "%", scale=100.0),
    Figure("net_profit", "net profit", is_money=True),
    Figure("return_pct", "return", "%"),
    Figure("max_drawdown_pct", "deepest drawdown", "%"),
    Figure("profit_factor", "profit factor", "x"),
    Figure("expectancy_r", "mean trade", "R"),
    Figure("sharpe", "Sharpe", "x"),
    Figure("calmar", "Calmar", "x"),
    Figure("costs", "costs", "paid ", is_money=True),
    Figure("worst_day", "worst day", is_money=True),
    Figure("ambiguous_trades", "ambiguous trades", "count"),
)


def _figures(group: Sequence[Entrant]) -> list[dict[str, Any]]:
    rows = []
    for figure in FIGURES:
        values = [_figure(one, figure) for one in group]
        if any(value is not None for value in values):
            changes = [_less(value, values[0]) for value in values]
            unit = f"{figure.unit}{group[0].plan['currency']}" if figure.is_money else figure.unit
            rows.append(
                {"name": figure.name, "text": figure.text, "unit": unit, "values": values}
                | {"changes": changes}
            )
    return rows


def _figure(one: Entrant, figure: Figure) -> float | None:
    value = one.plan.get(figure.name)
    if isinstance(value, Mapping):
        value = sum(value.values())
    if value is None:
        return None
    return float(value) * figure.scale * (one.rate if figure.is_money else 1.0)


def _less(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base


def _group_document(group: Sequence[Entrant]) -> dict[str, Any]:
    base, span = group[0], _span(group)
    assert span is not None  # _groups keeps those that have one
    return {
        "plan": base.plan["plan_id"],
        "instrument": base.plan["instrument"],
        "currency": base.plan["currency"],
        "zone": base.plan.get("zone") or "UTC",
        "accounts": [one.plan["account"] for one in group],
        "from": span[0].isoformat(),
        "to": span[1].isoformat(),
        "figures": _figures(group),
        "expectancy_ci95": [one.plan.get("expectancy_ci95") for one in group],
        "verdicts": [one.plan.get("verdict") for one in group],
        "pairs": [_pair(base, other, span) for other in group[1:]],
    }


def _pair(base: Entrant, other: Entrant, span: Span) -> dict[str, Any]:
    """Return how another run's trades and days stand against the base's."""
    return {
        "run": other.label,
        **compare_trades(base.trades_within(span), other.trades_within(span)),
        "days": compare_days(base.days_within(span), other.days_within(span)),
    }
