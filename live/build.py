"""From an account's plans to a session that stands: feeds, venue, guard, strategies, engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backtests.engine import PlanRun, strategy_maker
from backtests.loading import LoadedPlan
from backtests.request import AccountRequest
from brokers.broker import LiveBroker
from brokers.inbox import Inbox
from brokers.live_terms import LiveTerms
from brokers.paper.ledger import PaperLedger
from brokers.paper.venue import PaperVenue
from core.bars import Series
from core.calendar import Calendar, get_calendar
from core.events import Answer, Link, Outcome, Verb
from core.instruments import Instrument, fill_spread, get_instrument
from core.schedule import FlatRule, flat_schedule
from feeds.live import FeedTerms, LiveFeed
from feeds.live_data import LiveData
from feeds.replay import Replay, ReplaySeries
from live.cerebro import LiveCerebro
from live.engine import Engine, FeedSlot, Recorder
from live.hands import Hand, make_hands
from live.market import MarketSource, OnVenue, PaperOnVenue, PortHistory, VenueMarket
from live.outbox import LiveOutbox
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class SessionTerms:
    """How a session runs.

    speed : market seconds a second of a replay; None: as fast as it can.
    history_bars : bars of the plan's own file that are history before the first live one.
    entry_age_secs : a bar delivered later than that after its END takes no entry.
    unprotected_secs : a position so long without a working stop is closed.
    brackets : native or kept, on paper. positions : netting or hedging, on paper.
    at_roll : what becomes of a position whose contract is left: roll, close or keep.
    latency_ms : how long a request takes to the paper exchange. discrete : prices are trades.
    feed : of feeds; a replay's answers are final and its silence says nothing, so that it follows
        only what concerns requests and holes. broker : of the broker.
    """

    speed: float | None = None
    history_bars: int = 0
    entry_age_secs: float = 10.0
    unprotected_secs: float = 5.0
    at_roll: str = "roll"
    brackets: str = "native"
    positions: str = "netting"
    latency_ms: float = 0.0
    feed: FeedTerms = field(default_factory=FeedTerms)
    broker: LiveTerms = field(default_factory=LiveTerms)
    start: int | None = None
    discrete: bool = False


@dataclass
class LivePlanRun(PlanRun):
    """A plan of a live session; its bars are those that were delivered."""

    @property
    def bars(self) -> np.ndarray[Any, Any]:
        """The bars the strategy has seen."""
        return self.data.bars  # type: ignore[no-any-return]


@dataclass
class BuiltSession:
    """The parts of a session, joined; `cerebro.run()` starts it."""

    request: AccountRequest
    plans: list[LivePlanRun]
    cerebro: LiveCerebro
    engine: Engine
    broker: LiveBroker
    guard: Guard
    port: Any
    outbox: LiveOutbox
    inbox: Inbox
    source: Any = None
    terms: SessionTerms = field(default_factory=SessionTerms)
    hands: list[Hand] = field(default_factory=list)


def build_paper(
    request: AccountRequest,
    loaded: Sequence[LoadedPlan],
    flats: Sequence[Sequence[FlatRule]],
    terms: SessionTerms,
    *,
    recorder: Recorder,
    journal: Any = None,
    ledger: PaperLedger | None = None,
    order_prefix: str = "t",
    ready: Callable[[], None] | None = None,
) -> BuiltSession:
    """Join a paper session over replayed prices of the plans' own files.

    Parameters
    ----------
    loaded : the plans with their prices. flats : the flat times each plan is held to.
    recorder : numbers events. journal : takes intents before they are sent.
    ledger : the paper account's own file; None: it lives in memory.
    """
    inbox = Inbox()
    plans, slots = _feeds(loaded, flats, terms, is_replay=True)
    start = start_of(loaded, terms)
    replay = _replay(loaded, start, terms.speed)
    nested: list[Callable[[Any], None]] = []
    venue = _paper_venue(request, terms, lambda event: nested[0](event), replay, ledger)
    outbox = LiveOutbox(journal, venue, only=PaperVenue)
    built = _joined(
        request, terms, plans, slots, inbox, outbox, recorder, order_prefix,
        broker_port=venue, engine_port=venue, paper=venue,
    )  # fmt: skip
    nested.append(built.engine.nested.append)
    built.source = built.engine.source = replay
    replay.is_idle = lambda: venue.is_idle
    built.cerebro.when_ready = ready or (lambda: venue.connect(start))
    return built


def build_on_market(
    request: AccountRequest,
    loaded: Sequence[LoadedPlan],
    flats: Sequence[Sequence[FlatRule]],
    terms: SessionTerms,
    market: VenueMarket,
    *,
    recorder: Recorder,
    journal: Any = None,
    ledger: PaperLedger | None = None,
    order_prefix: str = "t",
    ready: Callable[[], None] | None = None,
) -> BuiltSession:
    """Join a session over a venue's prices; its orders go there, or to a paper exchange here.

    Parameters
    ----------
    loaded : the plans; of their prices only timeframe and calendar count.
    """
    inbox = Inbox()
    plans, slots = _feeds(loaded, flats, terms, is_replay=False)
    symbols = list(dict.fromkeys(slot.feed.symbol for slot in slots))
    port = market.open_port(inbox.put, symbols)
    start = market.clock() if terms.start is None else terms.start
    nested: list[Callable[[Any], None]] = []
    if market.fills_on_paper:
        calendars = {slot.feed.symbol: slot.feed.calendar for slot in slots}
        paper = _paper_venue(
            request, replace(terms, discrete=True), lambda event: nested[0](_as_orders(event)),
            PortHistory(port.history, calendars), ledger,
        )  # fmt: skip
        outbox = LiveOutbox(journal, paper, only=PaperVenue)
        built = _joined(
            request, terms, plans, slots, inbox, outbox, recorder, order_prefix,
            broker_port=paper, engine_port=PaperOnVenue(paper, port, symbols), paper=paper,
        )  # fmt: skip
        if hasattr(port, "hold_by"):
            port.hold_by(built.broker.holds)
    else:
        outbox = LiveOutbox(journal, port)
        built = _joined(
            request, terms, plans, slots, inbox, outbox, recorder, order_prefix,
            broker_port=port, engine_port=OnVenue(port, symbols), paper=None,
        )  # fmt: skip
    nested.append(built.engine.nested.append)
    silence = getattr(port, "silence_secs", None) if market.is_real_time else None
    source = MarketSource(market, start, built.engine.next_due, silence or (lambda: 0.0))
    built.source = built.engine.source = source
    built.cerebro.when_ready = ready or (lambda: built.port.connect(start))
    return built


def _as_orders(event: Any) -> Any:
    """Return what paper tells; its connection is one for orders, prices come by the venue's."""
    return replace(event, name="orders") if isinstance(event, Link) else event


def _paper_venue(
    request: AccountRequest,
    terms: SessionTerms,
    emit: Callable[[Any], None],
    history: Any,
    ledger: PaperLedger | None,
) -> PaperVenue:
    return PaperVenue(
        emit,
        history,
        request.cash,
        ledger=ledger,
        native=terms.brackets == "native",
        hedging=terms.positions == "hedging",
        discrete=terms.discrete,
        latency_ms=terms.latency_ms,
    )


def _feeds(
    loaded: Sequence[LoadedPlan],
    flats: Sequence[Sequence[FlatRule]],
    terms: SessionTerms,
    *,
    is_replay: bool,
) -> tuple[list[LivePlanRun], list[FeedSlot]]:
    """Return the plans' runs and all their feeds."""
    slots, plans = [], []
    for plan, rules in zip(loaded, flats, strict=True):
        run, own = _plan_slots(plan, rules, terms, is_replay)
        plans.append(run)
        slots += own
    return plans, slots


def _joined(
    request: AccountRequest,
    terms: SessionTerms,
    plans: list[LivePlanRun],
    slots: list[FeedSlot],
    inbox: Inbox,
    outbox: LiveOutbox,
    recorder: Recorder,
    order_prefix: str,
    *,
    broker_port: Any,
    engine_port: Any,
    paper: PaperVenue | None,
) -> BuiltSession:
    """Join broker, guard, engine and strategies; the engine's source is still to come.

    Parameters
    ----------
    broker_port : where orders go. engine_port : where prices and history come from besides.
    paper : the exchange that fills here, None where the venue does.
    """
    broker = LiveBroker(
        broker_port, outbox, request.cash, request.currency, order_prefix, terms.broker
    )
    for run in plans:
        asked = run.loaded.request
        broker.add_instrument(run.data, asked.instrument, asked.plan_id, fx=asked.fx)
        series = run.loaded.series
        finest = (series.lower or series).timeframe_ns
        if paper is not None:
            paper.add_plan(
                asked.plan_id, asked.instrument, asked.fx, series.timeframe_ns, finest_ns=finest
            )
    hands = _add_hands(plans, slots, broker, paper)
    guard = Guard(broker, *request.limits)
    if paper is not None:
        paper.watch(guard.limits)
    engine = Engine(
        broker, engine_port, slots, inbox, recorder, None, int(terms.entry_age_secs * _SECOND_NS)
    )
    for hand in hands:
        hand.data.now = lambda: engine.now
    outbox.on_refused = lambda order_id, why: engine.nested.append(
        Answer(0, Verb.SUBMIT, Outcome.REFUSED, order_id, reason=why, ts_event=engine.now)
    )
    cerebro = LiveCerebro()
    cerebro.engine = engine
    for slot in slots:
        cerebro.adddata(slot.data, name=slot.name.partition("/")[2] or slot.name)
    cerebro.setbroker(guard)
    for run in plans:
        cerebro.addstrategy(strategy_maker(run, alone=len(plans) == 1), **run.loaded.request.params)
    cerebro.addanalyzer(DailyLoss, _name="daily_loss")
    cerebro.addanalyzer(TradeRisk, _name="trade_risk")
    return BuiltSession(
        request, plans, cerebro, engine, broker, guard, engine_port, outbox, inbox, None, terms,
        hands,
    )  # fmt: skip


def _add_hands(
    plans: Sequence[LivePlanRun],
    slots: Sequence[FeedSlot],
    broker: LiveBroker,
    paper: PaperVenue | None,
) -> list[Hand]:
    """Let hands trade each symbol beside the plans, by the bars of the first plan on it."""
    of = [(run, run.loaded.request) for run in plans]
    hands = make_hands(
        [(asked.instrument.symbol, run.data) for run, asked in of], [run.plan_id for run in plans]
    )
    for hand in hands:
        run, asked = next(item for item in of if item[1].instrument.symbol == hand.symbol)
        broker.add_instrument(hand.data, asked.instrument, hand.plan_id, fx=asked.fx)
        step = run.loaded.series.timeframe_ns
        if paper is not None:
            paper.add_plan(hand.plan_id, asked.instrument, asked.fx, step)
        hand.data.trades_as(broker.plans[-1])
        slot = next(item for item in slots if item.data is run.data)
        slot.guests = (*slot.guests, hand.plan_id)
    return hands


def start_of(loaded: Sequence[LoadedPlan], terms: SessionTerms) -> int:
    """Return when the replay begins: after the history that every plan asked for."""
    if terms.start is not None:
        return terms.start
    starts = []
    for plan in loaded:
        bars = plan.series.bars
        starts.append(int(bars["start"][min(terms.history_bars, len(bars) - 1)]))
    return max(starts)


def _replay(loaded: Sequence[LoadedPlan], start: int, speed: float | None) -> Replay:
    told: dict[str, ReplaySeries] = {}
    bars: dict[tuple[str, int], Series] = {}
    for plan in loaded:
        for series in plan.further.values():
            market = _calendar_of(series, plan.calendar)
            told.setdefault(series.symbol, ReplaySeries(series, _tick_of(series), market))
            bars[series.symbol, series.timeframe_ns] = series
    for plan in loaded:
        finest = plan.series.lower or plan.series
        symbol = plan.request.instrument.symbol
        own = replace(finest, symbol=symbol)
        told[symbol] = ReplaySeries(own, _tick_of(plan.series), plan.calendar)
        bars[symbol, finest.timeframe_ns] = own
        bars[symbol, plan.series.timeframe_ns] = plan.series
    return Replay(list(told.values()), bars, start, speed)


def _tick_of(series: Series) -> float:
    from core.instruments import instrument_names

    if series.symbol not in instrument_names() or not len(series):
        return 1e-6
    return get_instrument(series.symbol).facts(int(series.bars["day"][0])).tick


def _plan_slots(
    loaded: LoadedPlan, flats: Sequence[FlatRule], terms: SessionTerms, is_replay: bool
) -> tuple[LivePlanRun, list[FeedSlot]]:
    """Return a plan's feeds: the further series first, so that they are known first."""
    asked = loaded.request
    slots = []
    history = terms.history_bars
    feed_terms = replace(terms.feed, history_bars=history)
    if is_replay:  # it tells four prices a bar: between them its silence says nothing
        feed_terms = replace(feed_terms, stale_ns=0, settle_ns=0, patience_ns=0, clock_error_ns=0)
    data = LiveData(asked.instrument.symbol, loaded.series.timeframe_ns)
    data.tola_plan, data.tola_calendar = asked.plan_id, loaded.calendar
    for name, series in loaded.further.items():
        further = LiveData(series.symbol, series.timeframe_ns)
        further.tola_plan = asked.plan_id
        calendar = _calendar_of(series, loaded.calendar)
        bars = -(-history * loaded.series.timeframe_ns // series.timeframe_ns)
        feed = LiveFeed(
            series.symbol, series.timeframe_ns, calendar, replace(feed_terms, history_bars=bars)
        )
        slots.append(FeedSlot(f"{asked.plan_id}/{name}", asked.plan_id, feed, further, False))
    dress = Dresser(asked.instrument, loaded.calendar, flats)
    feed = LiveFeed(
        asked.instrument.symbol, loaded.series.timeframe_ns, loaded.calendar, feed_terms, dress
    )
    clock = FeedSlot(asked.plan_id, asked.plan_id, feed, data, True)
    # Backtrader must see the clock first; the engine delivers the further series first.
    return LivePlanRun(loaded, data), [clock, *slots]


def _calendar_of(series: Series, default: Calendar) -> Calendar:
    from core.instruments import instrument_names

    if series.symbol in instrument_names():
        return get_calendar(get_instrument(series.symbol).calendar)
    return default


class Dresser:
    """Fills a bar's spread and flat time as loading a file does, a trading day at a time."""

    def __init__(
        self, instrument: Instrument, calendar: Calendar, flats: Sequence[FlatRule]
    ) -> None:
        self._instrument = instrument
        self._calendar = calendar
        self._flats = tuple(flats)
        self._flat_at: dict[int, int] = {}

    def __call__(self, bars: Any) -> None:
        """Dress annotated bars in place."""
        if self._instrument.spread_by_hour or len(bars) != 1:
            fill_spread(bars, self._instrument)
        spreads, flats = bars["spread"], bars["flat_at"]
        for row, day in enumerate(bars["day"].tolist()):
            if not spreads[row] > 0.0:
                spreads[row] = self._instrument.facts(day).spread
            flat_at = self._flat_at.get(day)
            if flat_at is None:
                schedule = flat_schedule(self._calendar, [day], self._flats)
                flat_at = self._flat_at[day] = int(schedule.flat_at[0])
            flats[row] = flat_at
