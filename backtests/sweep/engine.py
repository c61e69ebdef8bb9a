"""Runs parameter sets over one market: grouped by what they share, each group in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtests.sweep.loop import play_sets
from backtests.sweep.market import Clocked, Market, stacked
from backtests.sweep.records import FATE, PATTERN_CODES, RULES, SUMMARY, TERMS, TRADE
from backtests.sweep.settings import rules_of, terms_of
from backtests.sweep.setups import Setups, SetupSource
from backtests.sweep.workspace import Told, Workspace, make_workspace
from core.recent import Recent, room_for
from core.schedule import FlatRule
from risk.settings import RiskSettings, from_mapping
from strategies.handling import Hours
from strategies.words import PATTERNS

Array = np.ndarray[Any, Any]
Values = Mapping[str, Any]

BATCH = 512
"""Parameter sets run in one call, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Outcome:
    """What one parameter set came to.

    summary : SUMMARY record. trades : TRADE array, fates : FATE array of its setups, day_equity :
    equity at each trading day's last close; None where they were not asked for.
    """

    summary: Any
    trades: Array | None = None
    fates: Array | None = None
    day_equity: Array | None = None


@dataclass
class SetupEngine:
    """Compiled runs of one of our strategies (a setup machine) under `fills = "tola"`.

    Parameters
    ----------
    strategy : the SetupStrategy class. plan_id : what the plan is called in files.
    market : its bars and facts.
    """

    strategy: Any
    plan_id: str
    market: Market
    _space: Workspace = field(init=False)
    _structural: tuple[str, ...] = field(init=False)
    _source: SetupSource = field(init=False)
    _setups: Recent[tuple[Any, ...], Setups] = field(default_factory=lambda: Recent(1))
    _hours: Recent[Any, tuple[Array, Array]] = field(init=False)
    _rules: dict[tuple[Any, ...], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._space = make_workspace(self.market.cash, self.market.stock_margin)
        self._hours = Recent(room_for(2 * PATTERN_CODES * len(self.market.bars)))
        self._structural = self.strategy.structural()
        self._source = SetupSource(self.strategy, self.market)

    def run(
        self,
        table: Sequence[Values],
        *,
        keep_trades: bool = False,
        keep_curve: bool = False,
    ) -> list[Outcome]:
        """Run parameter sets (all values, checked); return what each came to, in their order."""
        outcomes: list[Outcome | None] = [None] * len(table)
        for group in self._groups(table):
            for first in range(0, len(group.places), BATCH):
                self._run_batch(group, first, keep_trades, keep_curve, outcomes)
        return outcomes  # type: ignore[return-value]

    def setups_of(self, values: Values) -> Setups:
        """Return the setups of a structural set; only the last one's are remembered."""
        key = tuple(values[name] for name in self._structural)
        if key not in self._setups:
            self._setups[key] = self._source.find(values)
        return self._setups[key]

    # -- grouping ----------------------------------------------------------------------------

    def _groups(self, table: Sequence[Values]) -> Iterator[_Group]:
        """Yield the sets that share setups, flat times and hours, structural sets together."""
        structural: dict[tuple[Any, ...], dict[Any, _Group]] = {}
        for place, values in enumerate(table):
            key = tuple(values[name] for name in self._structural)
            handling = self.strategy.handling(values)
            flats = self._flats(values)
            shared = (flats, _content(handling.hours))
            groups = structural.setdefault(key, {})
            group = groups.get(shared)
            if group is None:
                group = groups[shared] = _Group(values, flats, handling.hours, shared)
            group.places.append(place)
            group.terms.append(terms_of(values, handling))
            group.rules.append(self._rules_of(values))
        layers = self.strategy.layer_settings
        for groups in sorted(structural.values(), key=lambda item: _layer_of(item, layers)):
            yield from groups.values()

    def _flats(self, values: Values) -> tuple[FlatRule, ...]:
        rules = list(self.strategy.flat_rules(values))
        limits = self.market.limits
        if limits is not None and limits.flat_by is not None:
            rules.append(FlatRule(limits.name or "risk", limits.flat_by, limits.flat_zone))
        return tuple(rules)

    def _rules_of(self, values: Values) -> Array:
        limits: RiskSettings | None = self.market.limits
        key: tuple[Any, ...] = ()
        if limits is None:
            own = self.strategy.default_rules(values)
            key = tuple(own.items())
        if key not in self._rules:
            if limits is None and key:
                limits = from_mapping({**dict(key), "plan": self.plan_id}, name=self.plan_id)
            self._rules[key] = rules_of(limits, self.market.symbol)
        return self._rules[key]

    def _hours_of(self, group: _Group, clocked: Clocked) -> tuple[Array, Array]:
        if group.shared not in self._hours:
            shape = (PATTERN_CODES, len(clocked.bars))
            hours, cancels = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
            for pattern in range(1, len(PATTERNS)):
                hours[pattern] = group.hours.refusals(clocked.bars, pattern)
                cancels[pattern] = group.hours.cancels(clocked.bars, pattern)
            self._hours[group.shared] = (hours, cancels)
        return self._hours[group.shared]

    # -- running -----------------------------------------------------------------------------

    def _run_batch(
        self,
        group: _Group,
        first: int,
        keep_trades: bool,
        keep_curve: bool,
        outcomes: list[Outcome | None],
    ) -> None:
        market, space = self.market, self._space
        setups = self.setups_of(group.values)
        clocked = market.clocked(group.flats)
        hours, cancels = self._hours_of(group, clocked)
        places = group.places[first : first + BATCH]
        terms = stacked(group.terms[first : first + BATCH], TERMS)
        rules = stacked(group.rules[first : first + BATCH], RULES)
        count, kept = len(places), len(setups.at)
        told = Told(
            np.zeros(kept * (count if keep_trades else 1) + 1, TRADE),
            np.zeros(count, np.int64),
            np.zeros((count if keep_trades else 1, kept), FATE),
            np.zeros((count if keep_curve else 1, len(market.days))),
            np.zeros(count, SUMMARY),
        )
        play_sets(
            clocked, setups, hours, cancels, space, market.cash, terms, rules, market.is_stock,
            told, keep_trades,
        )  # fmt: skip
        ends = np.cumsum(told.counts)
        for k, place in enumerate(places):
            outcomes[place] = Outcome(
                told.summaries[k],
                told.trades[ends[k] - told.counts[k] : ends[k]].copy() if keep_trades else None,
                told.fates[k] if keep_trades else None,
                told.day_equity[k] if keep_curve else None,
            )


@dataclass
class _Group:
    values: Values
    flats: tuple[FlatRule, ...]
    hours: Hours
    shared: Any
    places: list[int] = field(default_factory=list)
    terms: list[Array] = field(default_factory=list)
    rules: list[Array] = field(default_factory=list)


def _layer_of(groups: Mapping[Any, _Group], layers: Sequence[str]) -> tuple[str, ...]:
    values = next(iter(groups.values())).values
    return tuple(repr(values[name]) for name in layers)


def _content(hours: Hours) -> tuple[Any, ...]:
    """Return what two `Hours` must share to say the same of every bar."""
    values = (
        value.tobytes() if isinstance(value, np.ndarray) else value
        for value in vars(hours).values()
    )
    return (type(hours), *values)
