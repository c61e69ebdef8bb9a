"""The proof of a session on a real account: its fills are given, its decisions must follow.

Fills of a real market are no model's. So the record is run through again, fills and all: bars are
built again from their ticks, and every order, change and cancel that the plans and the guard decide
on must be the recorded one, with its terms. Each fill is held against what the recorded prices
would have given (`core/matching`'s rule for trades), which is its slippage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from backtests.loading import LoadedPlan
from backtests.request import AccountRequest
from brokers.bracket_terms import with_bracket_terms
from brokers.port import Capabilities
from brokers.registry import get_venue
from core.bars import BAR, Series
from core.events import Event, Snapshot
from core.orders import OrderKind, Side
from core.results import iso_time
from core.schedule import FlatRule
from core.ticks import TRADE
from live.build import BuiltSession, SessionTerms, build_on_market
from live.controls import Controls
from live.foreign import ForeignActs
from live.halting import STRATEGY_ERROR
from live.journal import Intent, Journal, SessionFacts
from live.journal.records import BookedFill
from live.market import VenueMarket
from live.outbox import Diverged
from live.proof.record import Finding, Record, built_again, end_of, read_record
from live.recovery import recover
from risk.memory import remember

_MS = 1_000_000
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class SlippageRow:
    """One fill of a real account against the model.

    price, model : in quote currency; model nan: the record has no price after the order.
    ticks : by how many it was worse (positive) than the model.
    delay_ms : from the price the model fills at to the venue's time of the fill, which may be of
        whole seconds.
    """

    time: str
    plan_id: str
    order_id: str
    side: str
    quantity: float
    kind: str
    price: float
    model: float
    ticks: float
    delay_ms: float

    def describe(self) -> str:
        """Return it in one line."""
        told = f"{self.plan_id} {self.time} {self.side} {self.quantity:g} @ {self.price:g}"
        return f"{told} ({self.kind}): model {self.model:g}, {self.ticks:+.1f} ticks"


@dataclass
class FedProof:
    """What the proof came to. slippage : every fill whose order the record has."""

    findings: list[Finding]
    slippage: list[SlippageRow]
    bars: int
    orders: int
    fills: int

    @property
    def is_identical(self) -> bool:
        """Whether every decision is the recorded one."""
        return not self.findings

    @property
    def worst_ticks(self) -> float:
        """The worst slippage, ticks; 0 without fills."""
        return max((row.ticks for row in self.slippage if np.isfinite(row.ticks)), default=0.0)


def verify_fed(
    journal: Journal,
    chain: Sequence[SessionFacts],
    account: AccountRequest,
    loaded: Sequence[LoadedPlan],
    flats: Sequence[Sequence[FlatRule]],
    terms: SessionTerms,
    calendar_file: str | None,
) -> FedProof:
    """Prove a session whose fills were a venue's.

    Parameters
    ----------
    chain : the starts it went on from, and its own, oldest first.
    loaded : its plans; of their prices only timeframe and calendar count.
    """
    first, last = chain[0], chain[-1]
    stop = end_of(journal, last)
    times = _Times()
    record = read_record(times.noted(journal.events(first.first_seq), stop))
    findings = list(built_again(record, account, calendar_file))
    intents = [item for facts in chain for item in journal.intents(facts.session_id)]
    findings += _decided_again(journal, chain, account, loaded, flats, terms, stop)
    ids = {item.session_id for item in chain}
    fills = [item for item in journal.executions() if item.session_id in ids]
    return FedProof(
        findings,
        list(_slippage(fills, intents, record, times, account)),
        sum(len(bars) for name, bars in record.bars.items() if "/" not in name),
        sum(item.verb == "submit" for item in intents),
        len(fills),
    )


# -- decisions -------------------------------------------------------------------------------


class _Replayed(Exception):
    """The record has been run through: the session that was built for it goes no further."""


def _decided_again(
    journal: Journal,
    chain: Sequence[SessionFacts],
    account: AccountRequest,
    loaded: Sequence[LoadedPlan],
    flats: Sequence[Sequence[FlatRule]],
    terms: SessionTerms,
    stop: int,
) -> list[Finding]:
    """Run the record through a session of the same plans; return where it decides otherwise."""
    beginning, venue = chain[0].document, chain[0].venue
    start = int(beginning["start"])
    able = get_venue(venue).load_capabilities()
    silent = partial(_Silent, with_bracket_terms(able, beginning.get("bracket_terms")))
    market = VenueMarket(venue, silent, False, False, lambda: start)
    built = build_on_market(
        replace(account, cash=float(beginning["cash"])),
        [_without_prices(plan) for plan in loaded],
        flats,
        replace(terms, start=start),
        market,
        recorder=_Numbers(),
        order_prefix=str(beginning["prefix"]),
    )
    found: list[Finding] = []
    failure: list[BaseException] = []

    def compare(recorded: Intent, asked: Intent) -> None:
        words = _terms_that_differ(recorded.document, asked.document)
        if words:
            when = (
                iso_time(recorded.bar_start) if recorded.bar_start else iso_time(built.engine.now)
            )
            text = f"{recorded.order_id}: {recorded.verb}: {words}"
            found.append(Finding(when, recorded.plan_id, text))

    def replay() -> None:
        remember(built.guard, beginning["guard"])
        recover(built, journal, chain, until=stop)
        raise _Replayed

    _join(built, failure)
    built.outbox.on_match = compare
    built.cerebro.when_ready = replay
    try:
        built.cerebro.run()
    except _Replayed:
        pass
    except Diverged as fault:
        found.append(Finding(iso_time(built.engine.now), "", str(fault).partition(":")[0]))
    told = chain[-1].exit_reason.partition(STRATEGY_ERROR)[2]
    again = type(failure[0]).__name__ if failure else ""
    if told != again:
        what = f"a strategy raised {told or 'nothing'} in the session, {again or 'nothing'} again"
        found.append(Finding("", "", what))
    return found


def _join(built: BuiltSession, failure: list[BaseException]) -> None:
    """Connect what takes commands, snapshots and other hands, as a session does."""
    engine, broker = built.engine, built.broker

    def ended(reason: str) -> None:
        built.guard.block("stopping", reason)

    def heard(snapshot: Snapshot) -> None:
        broker.hear_snapshot(snapshot)

    def failed(fault: BaseException) -> None:
        failure.append(fault)
        ended(STRATEGY_ERROR + type(fault).__name__)

    foreign = ForeignActs(broker, lambda name, arguments: None)
    broker.on_other_hand = foreign.note
    engine.on_command = Controls(built, ended).apply
    engine.on_snapshot = heard
    engine.on_failure = failed


def _without_prices(plan: LoadedPlan) -> LoadedPlan:
    """Return a plan whose own file does not count: the record has its bars."""
    none = np.zeros(0, BAR)
    further = {
        name: Series(series.symbol, series.timeframe_ns, none)
        for name, series in plan.further.items()
    }
    own = Series(plan.series.symbol, plan.series.timeframe_ns, none)
    return replace(plan, series=own, further=further)


def _terms_that_differ(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    names = sorted({*recorded, *asked})
    words = [
        f"{name} {recorded.get(name)} was sent, now {asked.get(name)}"
        for name in names
        if recorded.get(name) != asked.get(name)
    ]
    return ", ".join(words)


class _Numbers:
    """Numbers events for nobody: a record that is run through has its own numbers."""

    def append(self, event: Event) -> int:
        """Return no number."""
        return 0


class _Silent:
    """A venue that nothing is asked of: what it once said is in the record."""

    def __init__(
        self, capabilities: Capabilities, emit: Callable[[Event], None], symbols: Sequence[str]
    ) -> None:
        self.capabilities = capabilities

    def request_history(self, *given: Any) -> None:
        """Do nothing: what it answered comes from the record."""


# -- slippage --------------------------------------------------------------------------------


class _Times:
    """When each event of a record was, market time."""

    def __init__(self) -> None:
        self._seqs: list[int] = []
        self._times: list[int] = []

    def noted(self, events: Iterable[tuple[int, Event]], stop: int) -> Iterator[tuple[int, Event]]:
        """Pass events on up to a number, and note their times."""
        for seq, event in events:
            if seq > stop:
                return
            self._seqs.append(seq)
            self._times.append(max(event.ts_event, self._times[-1] if self._times else 0))
            yield seq, event

    def at(self, seq: int) -> int:
        """Return the time up to which the record had come with an event, ns UTC; 0 before it."""
        place = bisect_right(self._seqs, seq)
        return self._times[place - 1] if place else 0


def _slippage(
    fills: Sequence[BookedFill],
    intents: Sequence[Intent],
    record: Record,
    times: _Times,
    account: AccountRequest,
) -> list[SlippageRow]:
    """Return each fill whose order and instrument are known, against the model."""
    sent = {item.order_id: item for item in intents if item.verb == "submit"}
    moved = _last_prices(intents)
    facts = {plan.instrument.symbol: plan.instrument for plan in account.plans}
    prices = {symbol: np.concatenate(parts) for symbol, parts in record.ticks.items()}
    rows = []
    for fill in fills:
        intent, instrument = sent.get(fill.order_id), facts.get(fill.symbol)
        if intent is None or instrument is None or fill.symbol not in prices:
            continue
        kind = OrderKind(intent.document.get("kind", OrderKind.MARKET))
        price = moved.get(fill.order_id, intent.document.get("price"))
        decided = times.at(intent.after_seq)
        model, when = _model_fill(kind, fill.side, price, prices[fill.symbol], decided)
        tick = instrument.facts(fill.ts // _DAY_NS).tick
        rows.append(
            SlippageRow(
                iso_time(fill.ts), fill.plan_id, fill.order_id, fill.side.name.lower(),
                fill.quantity, kind.name.lower(), fill.price, model,
                round(int(fill.side) * (fill.price - model) / tick, 6), (fill.ts - when) / _MS,
            )
        )  # fmt: skip
    return rows


def _last_prices(intents: Sequence[Intent]) -> dict[str, float]:
    """Return the last price that a change gave each order."""
    found: dict[str, float] = {}
    for item in intents:
        price = item.document.get("price")
        if item.verb == "modify" and price is not None:
            found[item.order_id] = float(price)
    return found


def _model_fill(
    kind: OrderKind, side: Side, price: float | None, ticks: Any, decided: int
) -> tuple[float, int]:
    """Return the price and time (ns UTC) at which trades that jump would have filled an order.

    At market at the next trade (the one that ended the bar it was decided on is told after it, at
    the same time); a stop at the first trade that reaches it; a limit at its own price
    or at the better one of a trade beyond it. (nan, decided): no recorded trade would have.
    """
    trades = ticks[(ticks["ts_event"] >= decided) & (ticks["flags"] & TRADE != 0)]
    if price is not None and kind is not OrderKind.MARKET:
        is_stop = kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
        rises = (side is Side.BUY) == is_stop
        told = trades["price"]
        trades = trades[told >= price if rises else told <= price]
    if not len(trades):
        return float("nan"), decided
    return float(trades["price"][0]), int(trades["ts_event"][0])
