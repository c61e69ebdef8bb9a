"""What all parameter sets of a sweep share: bars, facts by day, and what the clock asks for.

Arrays and plain values only: it travels to worker processes as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from backtests.sweep.records import BY_FLAT_BY, BY_FLAT_BY_RULE, BY_NEWS, BY_NEWS_RULE, BY_WINDOW
from core.bars import BAR, spans_within
from core.calendar import Calendar
from core.fx import FxRate
from core.instruments import Instrument, InstrumentFacts
from core.matching.book import NO_NIGHTS, NO_SPANS, LimitFill, market_record
from core.matching.nights import swap_nights
from core.matching.records import MARKET
from core.recent import Recent, room_for
from core.schedule import FlatRule, apply_flat_times
from risk.moment import next_bar
from risk.rules import FlatBy, NewsBlackout, Rule, TradingWindow, build_rules
from risk.rules.base import Act
from risk.settings import RiskSettings

Array = np.ndarray[Any, Any]

_TIMED = {TradingWindow: BY_WINDOW, FlatBy: BY_FLAT_BY, NewsBlackout: BY_NEWS}
_LEAVES = {FlatBy: BY_FLAT_BY_RULE, NewsBlackout: BY_NEWS_RULE}


class Clocked(NamedTuple):
    """A plan's bars under one set of flat times, and what else runs are handed of its market.

    bars : BAR array with `flat_at` filled. loud : int8 (n,), 1 where a bar must be played whole
    while anything is at work: the first of a trading day, swap, an act of the guard, the flat time,
    the session's end. The others are the market's own.
    """

    bars: Array
    loud: Array
    periods: Array
    places: Array
    acts: Array
    act_reasons: Array
    lower: Array
    spans: Array
    nights: Array
    table: Array
    fixed: Array


@dataclass(frozen=True)
class Market:
    """A plan's market for a whole sweep.

    Attributes
    ----------
    bars, further : BAR arrays, shape (n,) and (m,). lower, spans : the finer bars of a `drill`.
    days : trading days of the file, shape (d,). places : each bar's place in it, shape (n,).
    table, fixed : MARKET records in force by period, and money per 1.0 of quantity as margin.
    periods : which of them holds on each bar.
    nights : swap nights before and inside each bar.
    acts, act_reasons : what the guard's rules of time ask for on each bar, and the exit code where
        they flatten.
    limits : the one source of the guard's limits; None: the strategy's own settings make them.
    """

    symbol: str
    instrument: Instrument
    fx: FxRate
    calendar: Calendar
    cash: float
    limits: RiskSettings | None
    bars: Array
    further: Array
    lower: Array
    spans: Array
    days: Array
    places: Array
    table: Array
    fixed: Array
    periods: Array
    nights: Array
    acts: Array
    act_reasons: Array
    is_stock: bool
    _clocked: Recent[tuple[FlatRule, ...], Clocked] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_clocked", Recent(room_for(self.bars.nbytes)))

    def __reduce__(self) -> tuple[Any, ...]:
        # It travels without what is made anew where it arrives.
        return Market, tuple(getattr(self, item.name) for item in fields(self) if item.init)

    @property
    def stock_margin(self) -> float:
        """Money one unit binds by Backtrader's rules: that of the first bar, the whole run long."""
        if not len(self.bars):
            return 0.0
        first = self.bars[0]
        facts = self.instrument.facts(int(first.day))
        return facts.margin_per_unit(float(first.open)) * self.fx.at(int(first.start))

    def clocked(self, flats: Sequence[FlatRule]) -> Clocked:
        """Return the bars with these flat times, made once."""
        key = tuple(flats)
        if key not in self._clocked:
            bars = self.bars.copy()
            apply_flat_times(bars, self.calendar, key)
            first = np.diff(bars["day"], prepend=-1) != 0
            loud = first | (self.acts != 0) | (bars["start"] >= bars["flat_at"])
            loud |= bars["end"] >= bars["close_at"]
            if len(self.nights):
                loud |= self.nights.any(axis=1)
            self._clocked[key] = Clocked(
                bars, loud.astype(np.int8), self.periods, self.places, self.acts, self.act_reasons,
                self.lower, self.spans, self.nights, self.table, self.fixed,
            )  # fmt: skip
        return self._clocked[key]

    def tick_of(self, day: int) -> float:
        """Return the price step in force on a trading day."""
        return self.instrument.facts(day).tick

    def timed_refusals(self, rows: Array) -> Array:
        """Return how the guard's rules of time judge an entry made at the close of bars."""
        rules = [rule for rule in self._rules() if type(rule) in _TIMED]
        found = np.zeros(len(rows), np.int8)
        for place, row in enumerate(rows) if rules else ():
            bar = self.bars[row]
            context: Any = SimpleNamespace(now=int(bar.end), bar=bar)
            for rule in rules:
                if rule.check(None, context) is not None:  # type: ignore[arg-type]
                    found[place] = _TIMED[type(rule)]
                    break
        return found

    def _rules(self) -> list[Rule]:
        return [] if self.limits is None else build_rules([self.limits])

    def rates(self, rows: Array) -> tuple[Array, Array]:
        """Return account money per quote money at the END of bars, and whether it is stale."""
        if self.fx.is_constant:
            return np.full(len(rows), self.fx.at(0)), np.zeros(len(rows), np.int8)
        ends = [int(end) for end in self.bars["end"][rows]]
        rates = np.array([self.fx.at(end) for end in ends], np.float64)
        return rates, np.array([self.fx.is_stale(end) for end in ends], np.int8)


def make_market(
    bars: Array,
    instrument: Instrument,
    calendar: Calendar,
    cash: float,
    *,
    fx: FxRate,
    further: Array | None = None,
    lower: Array | None = None,
    limits: RiskSettings | None = None,
    intrabar: str = "worst",
    limit_fill: LimitFill = "touch",
    volume_share: float | None = None,
    is_stock: bool = False,
) -> Market:
    """Return the market of a sweep.

    Parameters
    ----------
    bars : BAR array, annotated, spreads filled.
    lower : bars of a finer file, walked inside each bar with intrabar="drill".
    is_stock : fills by Backtrader's own rules.
    """
    days, firsts, places = np.unique(bars["day"], return_index=True, return_inverse=True)
    known: dict[tuple[int, float], int] = {}
    held: list[InstrumentFacts] = []
    records: list[Array] = []
    by_day = np.zeros(len(days), np.int64)
    for place, (day, first) in enumerate(zip(days, firsts, strict=True)):
        facts, rate = instrument.facts(int(day)), fx.at(int(bars["start"][first]))
        key = (id(facts), rate)
        if key not in known:
            known[key] = len(records)
            held.append(facts)
            records.append(
                market_record(
                    facts,
                    fx=rate,
                    intrabar=intrabar,
                    limit_fill=limit_fill,
                    volume_share=volume_share,
                )
            )
        by_day[place] = known[key]
    periods = by_day[places]
    others = np.zeros(0, BAR) if further is None else further
    if is_stock:
        acts, reasons = _stock_acts(bars, others, instrument.symbol, limits)
    else:
        acts, reasons = _timed_acts(bars, instrument.symbol, limits)
    return Market(
        symbol=instrument.symbol,
        instrument=instrument,
        fx=fx,
        calendar=calendar,
        cash=cash,
        limits=limits,
        bars=bars,
        further=others,
        lower=bars if lower is None else lower,
        spans=NO_SPANS if lower is None else spans_within(bars, lower["start"]),
        days=days,
        places=np.asarray(places, np.int64),
        table=stacked(records, MARKET),
        fixed=np.array([facts.margin_fixed for facts in held], np.float64),
        periods=periods,
        nights=_nights(bars, held, periods),
        acts=acts,
        act_reasons=reasons,
        is_stock=is_stock,
    )


def stacked(records: Sequence[Array], dtype: Any) -> Array:
    """Return one-item or longer arrays of a record type as one; numpy's own would realign it."""
    out = np.zeros(sum(map(len, records)), dtype)
    first = 0
    for record in records:
        out[first : first + len(record)] = record
        first += len(record)
    return out


def _nights(bars: Array, held: Sequence[InstrumentFacts], periods: Array) -> Array:
    """Return the weighted swap nights of each bar, none where nothing is charged for a night."""
    swaps = [bool(facts.cost["swap_long"][0] or facts.cost["swap_short"][0]) for facts in held]
    if not any(swaps):
        return NO_NIGHTS
    nights = np.zeros((len(bars), 2), np.int32)
    for weekday in {int(facts.cost["swap_triple_weekday"][0]) for facts in held}:
        counted = np.array(swap_nights(bars, weekday)).T
        charged = np.array(
            [
                swap and int(facts.cost["swap_triple_weekday"][0]) == weekday
                for swap, facts in zip(swaps, held, strict=True)
            ]
        )[periods]
        nights[charged] = counted[charged]
    return nights


def _timed_acts(bars: Array, symbol: str, limits: RiskSettings | None) -> tuple[Array, Array]:
    """Ask the guard's rules of time, as it asks them, what each bar brings."""
    acts, reasons = np.zeros(len(bars), np.int8), np.zeros(len(bars), np.int8)
    rules = _timed_rules(limits)
    quiet = 0
    for row, bar in enumerate(bars) if rules else ():
        if int(bar.end) <= quiet:
            continue
        act, reason, quiet = _ask(rules, symbol, bar)
        acts[row], reasons[row] = act, reason
    return acts, reasons


def _stock_acts(
    bars: Array, further: Array, symbol: str, limits: RiskSettings | None
) -> tuple[Array, Array]:
    """Ask them as Backtrader's rules have it: at a close, about the bar that is expected next.

    Bars of the further series are asked about, too; what they bring counts at the last close of
    the traded one. What blocks entries does so until a bar that ends later is asked about.
    """
    acts, reasons = np.zeros(len(bars), np.int8), np.zeros(len(bars), np.int8)
    rules = _timed_rules(limits)
    if not rules:
        return acts, reasons
    steps = [(int(end), 0, row) for row, end in enumerate(bars["end"])]
    steps += [(int(end), 1, row) for row, end in enumerate(further["end"])]
    quiet, blocked_end, place = {0: 0, 1: 0}, 0, -1
    for _, which, row in sorted(steps):
        place = row if which == 0 else place
        bar = next_bar((bars, further)[which][row])
        if blocked_end < int(bar.end):
            blocked_end = 0
        act, reason = int(Act.NONE), 0
        if int(bar.end) > quiet[which]:
            act, reason, quiet[which] = _ask(rules, symbol if which == 0 else "further", bar)
            blocked_end = int(bar.end) if act else blocked_end
        if place < 0:
            continue
        if act == Act.TIGHTEN and which == 1:
            act = int(Act.BLOCK)
        act = max(act, int(Act.BLOCK)) if blocked_end else act
        if act > acts[place]:
            acts[place], reasons[place] = act, reason
    return acts, reasons


def _timed_rules(limits: RiskSettings | None) -> list[Rule]:
    return [] if limits is None else [rule for rule in build_rules([limits]) if rule.is_timed]


def _ask(rules: Sequence[Rule], symbol: str, bar: Any) -> tuple[int, int, int]:
    """Return what a bar asks for, the exit code if it flattens, and until when to ask no more."""
    asked = [(rule.at_bar(symbol, bar, None), rule) for rule in rules]  # type: ignore[arg-type]
    act, rule = max(asked, key=lambda pair: pair[0])
    if act is Act.NONE:
        return 0, 0, min(rule.quiet_until(symbol, bar) for rule in rules)
    return int(act), _LEAVES.get(type(rule), 0), 0
