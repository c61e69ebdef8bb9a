"""The parity proof: what a session consumed, fed to the backtest, must give what the session did.

The record holds the bars as the strategies saw them, the ticks they were built of and every
command. From the ticks the bars are built again; through the ticks the backtest's broker plays
those bars under the same guard, and every command is carried out again in its place, by the same
code (`live.stepped`); its requests, fills and trades are held against the recorded ones. On paper
the recorded orders and fills are never an input. What is one, as commands are: that an entry was
withheld from the venue, as the journal could not take it or the process died before it was sent.
The backtest refuses it, too, and it is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import backtrader as bt
import numpy as np

from backtests.engine import PlanRun, strategy_maker
from backtests.loading import LoadedPlan
from backtests.loop.cerebro import Cerebro
from backtests.request import AccountRequest
from brokers.orders import NEVER_ARRIVED
from core.bars import BAR, Series, parse_timeframe
from core.calendar import get_calendar
from core.errors import TolaError
from core.events import Answer, Bars, Clock, Command, Event, HistoryBars, Outcome, Ticks, Verb
from core.ledger import Trade, TradeFill
from core.orders import Role
from core.results import iso_time
from core.schedule import FlatRule, apply_flat_times
from core.ticks import TICK, Tape, TickModel
from feeds.bar_builder import BarBuilder
from feeds.bulk import BulkData
from live.controls import Controls
from live.halting import STRATEGY_ERROR, Halt
from live.hands import make_hands
from live.journal import Intent, Journal, SessionFacts
from live.outbox import DROPPED
from live.stepped import Course, PlanView, SteppedBroker, closes
from live.watchdog import EngineHung
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard
from risk.memory import remember

_PART = re.compile(r"x\d+$")
"""What follows the id of an order whose further parts were sent as orders of their own."""
_REFUSED = (Verb.SUBMIT, Outcome.REFUSED)
_SIZE_ZERO = "size_zero"
"""Why either broker refuses less than a lot step."""
_PRICES = ("open", "high", "low", "close")


@dataclass
class Record:
    """A session's sequence, sorted by what the proof needs.

    bars, late, asked : of each feed by its name in Cerebro; which came too late for an entry, and
    which from the history of the venue rather than from ticks. groups : number and END of each
    delivery of bars. ticks : by symbol, seqs : the number of each tick. commands : with theirs.
    refusals : why an order was not taken, by its id.
    """

    bars: dict[str, list[Any]] = field(default_factory=dict)
    late: dict[str, list[bool]] = field(default_factory=dict)
    asked: dict[str, list[bool]] = field(default_factory=dict)
    groups: list[tuple[int, int]] = field(default_factory=list)
    ticks: dict[str, list[Any]] = field(default_factory=dict)
    seqs: dict[str, list[Any]] = field(default_factory=dict)
    commands: list[tuple[int, Command]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    events: int = 0

    @property
    def course(self) -> Course:
        """The order in which it all came."""
        ticks, seqs = (
            {symbol: np.concatenate(parts) for symbol, parts in found.items()}
            for found in (self.ticks, self.seqs)
        )
        return Course(ticks, seqs, self.groups, self.commands)


def read_record(events: Iterator[tuple[int, Event]]) -> Record:
    """Sort a journal's events."""
    record = Record()
    answered: frozenset[int] = frozenset()
    for seq, event in events:
        record.events += 1
        if isinstance(event, HistoryBars):
            answered |= frozenset(event.bars["start"].tolist())
        elif isinstance(event, Ticks | Clock):
            answered = frozenset()
        if isinstance(event, Ticks):
            record.ticks.setdefault(event.symbol, []).append(event.ticks)
            record.seqs.setdefault(event.symbol, []).append(np.full(len(event.ticks), seq))
        elif isinstance(event, Bars):
            record.groups.append((seq, int(event.bars["end"][0])))
            for name, late, bar in zip(event.names, event.late, event.bars, strict=True):
                record.bars.setdefault(name, []).append(bar)
                record.late.setdefault(name, []).append(late)
                record.asked.setdefault(name, []).append(int(bar["start"]) in answered)
        elif isinstance(event, Command):
            record.commands.append((seq, event))
        elif isinstance(event, Answer) and (event.verb, event.outcome) == _REFUSED:
            record.refusals[event.order_id] = event.reason
    return record


@dataclass(frozen=True)
class Finding:
    """One difference: which bar (START, ISO 8601; "" for none), of which plan, and what."""

    bar: str
    plan_id: str
    what: str

    def describe(self) -> str:
        """Return it in one line."""
        where = " ".join(part for part in (self.plan_id, self.bar) if part)
        return f"{where}: {self.what}"


@dataclass
class Verified:
    """What the proof came to.

    Attributes
    ----------
    withheld : entries that were decided and never reached the venue. made : the backtest's trades.
    """

    findings: list[Finding]
    withheld: list[Finding]
    bars: int
    orders: int
    made: Sequence[Trade]
    fills: int
    missed: int
    commands: int

    @property
    def trades(self) -> int:
        """How many trades the backtest made."""
        return len(self.made)

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs."""
        return not self.findings


def verify(
    journal: Journal,
    chain: Sequence[SessionFacts],
    account: AccountRequest,
    flats: Sequence[Sequence[FlatRule]],
    calendar_file: str | None,
) -> Verified:
    """Prove a session.

    Parameters
    ----------
    chain : the starts it went on from, and its own, oldest first.
    account, flats : its plans as they were resolved again from what is stored with it.

    Raises
    ------
    TolaError : a strategy hung in it.
    """
    first, last = chain[0], chain[-1]
    if last.exit_reason.endswith(STRATEGY_ERROR + EngineHung.__name__):
        raise TolaError(
            "a strategy hung in that session, and would again: nothing can be proved; why it hung "
            "stands in the account's watchdog.jsonl"
        )
    stop = end_of(journal, last)
    events = ((seq, event) for seq, event in journal.events(first.first_seq) if seq <= stop)
    record = read_record(events)
    findings = list(built_again(record, account, calendar_file))
    ids = {item.session_id for item in chain}
    intents = [item for facts in chain for item in journal.intents(facts.session_id)]
    orders = _orders_of(intents)
    withheld = _withheld(orders, record.refusals)
    run = _Backtest(account, flats, record, first.document, calendar_file, orders, withheld)
    run.run()
    fills = [item for item in journal.executions() if item.session_id in ids]
    findings += _compare_orders(orders, run)
    findings += _compare_fills(fills, run)
    findings += _compare_failures(last.exit_reason, run.halt.failure)
    return Verified(
        sorted(findings, key=lambda item: item.bar or "9"),
        [_as_finding(orders[order_id].first, why) for order_id, why in withheld.items()],
        sum(len(bars) for name, bars in record.bars.items() if "/" not in name),
        sum(item.verb == "submit" for item in intents),
        run.broker.ledger.trades,
        len(fills),
        sum(sum(late) for name, late in record.late.items() if "/" not in name),
        sum(command.author != "session" for _, command in record.commands),
    )


def end_of(journal: Journal, last: SessionFacts) -> int:
    """Return the number of the last event of a start."""
    later = [item.first_seq for item in journal.sessions() if item.session_id > last.session_id]
    return min(later) - 1 if later else journal.last_seq


# -- bars from ticks -------------------------------------------------------------------------


def built_again(
    record: Record, account: AccountRequest, calendar_file: str | None
) -> Iterator[Finding]:
    """Build each plan's bars from the recorded ticks and compare them with those delivered."""
    for plan in account.plans:
        told = record.bars.get(plan.plan_id)
        parts = record.ticks.get(plan.instrument.symbol)
        if not told or not parts:
            continue
        calendar = get_calendar(plan.instrument.calendar, calendar_file)
        step = parse_timeframe(plan.plan.timeframe)
        ticks = np.concatenate(parts)
        built = _built(ticks, np.concatenate(record.seqs[plan.instrument.symbol]), record.groups,
                       BarBuilder(calendar, step))  # fmt: skip
        by_start = {int(bar["start"]): bar for bar in built}
        others = zip(record.late[plan.plan_id], record.asked[plan.plan_id], strict=True)
        for bar, (late, asked) in zip(told, others, strict=True):
            if late or asked:
                continue
            start = int(bar["start"])
            own = by_start.get(start)
            if own is None:
                if start >= int(ticks["ts_event"][0]):
                    yield Finding(iso_time(start), plan.plan_id, "its ticks are missing")
                continue
            words = [
                f"{name} {bar[name]:g} was delivered, its ticks make {own[name]:g}"
                for name in _PRICES
                if float(bar[name]) != float(own[name])
            ]
            if words:
                yield Finding(iso_time(start), plan.plan_id, ", ".join(words))


def _built(ticks: Any, seqs: Any, groups: Sequence[tuple[int, int]], builder: BarBuilder) -> Any:
    """Return the bars of ticks; what came for a bar that had been delivered is left out of it."""
    done, at = [], 0
    for seq, end in groups:
        before = int(np.searchsorted(seqs, seq))
        done += [builder.take(ticks[at:before]), builder.close(end)]
        at = before
    return np.concatenate([*done, builder.take(ticks[at:])])


# -- the backtest over the record ------------------------------------------------------------


class _Backtest:
    """The account's plans over the recorded bars and ticks."""

    def __init__(
        self,
        account: AccountRequest,
        flats: Sequence[Sequence[FlatRule]],
        record: Record,
        beginning: Mapping[str, Any],
        calendar_file: str | None,
        orders: Mapping[str, _Order],
        withheld: Mapping[str, str],
    ) -> None:
        cash = float(beginning["cash"])
        self._memory = beginning["guard"]
        self._model: TickModel = beginning.get("ticks", "path")
        self._account = account
        self._record = record
        self._calendar_file = calendar_file
        self.requests: list[tuple[int, Any, bool]] = []
        self.halt = Halt()
        self.plans: list[PlanRun] = []
        self._cerebro = Cerebro(stdstats=False)
        for plan, rules in zip(account.plans, flats, strict=True):
            self._add_feeds(plan, rules)
        feeds = [(run.loaded.request.instrument.symbol, run.data) for run in self.plans]
        self.hands = make_hands(feeds, [run.plan_id for run in self.plans])
        tapes = {run.plan_id: self._tape(run.loaded.request) for run in self.plans}
        tapes |= {hand.plan_id: tapes[self._run_on(hand.symbol).plan_id] for hand in self.hands}
        self.broker = SteppedBroker(
            record.course, _entry_ids(orders), withheld, _closes_apart(orders),
            cash=cash, account_currency=account.currency, intrabar="ticks", tapes=tapes,
        )  # fmt: skip
        for run in self.plans:
            asked = run.loaded.request
            self.broker.add_instrument(run.data, asked.instrument, asked.plan_id, fx=asked.fx)
        for hand in self.hands:
            asked = self._run_on(hand.symbol).loaded.request
            self.broker.add_instrument(hand.data, asked.instrument, hand.plan_id, fx=asked.fx)
            hand.data.trades_as(PlanView(self.broker, self.broker.plans[-1]))
            hand.data.now = lambda: self.broker.now
        self.guard = Guard(self.broker, *account.limits)
        self.broker.on_command = Controls(self, self._stopped).apply
        self._watch_requests()

    def run(self) -> None:
        """Run it."""
        cerebro = self._cerebro
        cerebro.setbroker(self.guard)
        cerebro.addstrategy(_Memory, guard=self.guard, memory=self._memory)
        for run in self.plans:
            cerebro.addstrategy(strategy_maker(run, alone=False), **run.loaded.request.params)
        cerebro.addanalyzer(DailyLoss, _name="daily_loss")
        cerebro.addanalyzer(TradeRisk, _name="trade_risk")
        cerebro.use_masks = False
        cerebro.run()
        self.broker.play_rest()

    @property
    def plan_ids(self) -> list[str]:
        """All that trades: the plans, then the hands."""
        return [plan.plan_id for plan in self.broker.plans]

    def _run_on(self, symbol: str) -> PlanRun:
        """Return the first plan on a symbol."""
        return next(run for run in self.plans if run.loaded.request.instrument.symbol == symbol)

    def _stopped(self, reason: str) -> None:
        self.guard.block("stopping", reason)

    def _add_feeds(self, plan: Any, rules: Sequence[FlatRule]) -> None:
        record = self._record
        calendar = get_calendar(plan.instrument.calendar, self._calendar_file)
        step = parse_timeframe(plan.plan.timeframe)
        bars, late = _with_unfinished(
            np.array(record.bars.get(plan.plan_id, []), BAR),
            record.late.get(plan.plan_id, []),
            record.ticks.get(plan.instrument.symbol, []),
            calendar,
            step,
        )
        schedule = apply_flat_times(bars.copy(), calendar, rules)
        series = Series(plan.instrument.symbol, step, bars)
        data = BulkData(series, late=late)
        data.tola_plan, data.tola_calendar = plan.plan_id, calendar
        self._cerebro.adddata(data, name=plan.plan_id)
        further = {}
        for name in record.bars:
            owner, _, short = name.partition("/")
            if owner == plan.plan_id and short:
                own = np.array(record.bars[name], BAR)
                length = int(np.median(own["end"] - own["start"]))
                other = Series(short, length, own)
                feed = BulkData(other)
                feed.tola_plan = plan.plan_id
                self._cerebro.adddata(feed, name=short)
                further[short] = other
        halting = replace(plan, strategy=self.halt.of(plan.strategy))
        loaded = LoadedPlan(halting, series, further, calendar, schedule)
        self.plans.append(PlanRun(loaded, data))

    def _tape(self, plan: Any) -> Tape:
        """Return a plan's ticks."""
        parts = self._record.ticks.get(plan.instrument.symbol, [])
        return Tape(np.concatenate(parts) if parts else np.zeros(0, TICK), self._model)

    def _watch_requests(self) -> None:
        submit = self.broker.submit_approved

        def noted(approved: Any, orders: Sequence[Any]) -> None:
            data, request = orders[0].data, approved.request
            held = float(self.broker.getposition(data).size)
            start = self.broker.bar_start(data)
            submit(approved, orders)
            if orders[0].info.get("reason") != _SIZE_ZERO:  # no session sends it either
                self.requests.append((start, request, closes(held, request)))

        self.broker.submit_approved = noted  # type: ignore[method-assign]


def _with_unfinished(
    bars: Any, late: Sequence[bool], parts: Sequence[Any], calendar: Any, step: int
) -> tuple[Any, Any]:
    """Return the delivered bars and, last, the one a session ended in, which takes no entry."""
    flags = np.array(late, np.bool_)
    if not parts or not len(bars):
        return bars, flags
    ticks = np.concatenate(parts)
    rest = ticks[ticks["ts_event"] >= bars["end"][-1]]
    if not len(rest):
        return bars, flags
    builder = BarBuilder(calendar, step)
    builder.begin_after(bars[-1])
    done = builder.take(rest)
    last = builder.forming if not len(done) else done[:1]
    if not len(last):
        return bars, flags
    last["flat_at"], last["spread"] = bars["flat_at"][-1], rest["spread"][0]
    return np.concatenate([bars, last]), np.append(flags, True)


class _Memory(bt.Strategy):  # type: ignore[misc]
    """Trades nothing; it gives the guard the memory it had when the session began."""

    params = (("guard", None), ("memory", None))

    def start(self) -> None:
        """Remember what the session's guard knew when it began."""
        remember(self.p.guard, self.p.memory)


# -- comparing -------------------------------------------------------------------------------


def _compare_orders(orders: Mapping[str, _Order], run: _Backtest) -> Iterator[Finding]:
    """Hold the entries each plan decided on against those the backtest made, one by one."""
    sent = [order for order in orders.values() if not order.reduces]
    are_apart = _closes_apart(orders)
    made = [
        (start, request)
        for start, request, is_close in run.requests
        if not request.reduces and not (is_close and are_apart)
    ]
    for plan_id in run.plan_ids:
        yield from _compare_entries(
            [order for order in sent if order.first.plan_id == plan_id],
            [item for item in made if item[1].plan_id == plan_id],
            orders,
        )


def _closes_apart(orders: Mapping[str, _Order]) -> bool:
    """Whether each part of an order says itself what it closes: on a hedging account."""
    return any(order.first.document.get("position_id") for order in orders.values())


def _compare_entries(
    sent: Sequence[_Order], made: Sequence[tuple[int, Any]], orders: Mapping[str, _Order]
) -> Iterator[Finding]:
    for place in range(max(len(sent), len(made))):
        if place >= len(sent):
            start, request = made[place]
            yield Finding(iso_time(start), request.plan_id, "the backtest enters, the session not")
            return
        first = sent[place].first
        if place >= len(made):
            when = iso_time(first.bar_start) if first.bar_start else ""
            yield Finding(when, first.plan_id, "the session entered, the backtest does not")
            return
        start, request = made[place]
        words = _order_differences(sent[place], start, request, orders)
        if words:
            yield Finding(iso_time(start), request.plan_id, f"{first.order_id}: {words}")


@dataclass
class _Order:
    """An order as it was asked for, whole or in parts.

    first : the intent of its first part. reduces : none of them opens. parts : their order ids.
    is_sent : one of them was written to be sent.
    """

    first: Any
    quantity: float = 0.0
    reduces: bool = True
    parts: list[str] = field(default_factory=list)
    is_sent: bool = False

    def add(self, intent: Intent) -> None:
        """Take a part; one that was withheld counts as long as it has not been sent after all."""
        self.is_sent = self.is_sent or intent.verb != DROPPED
        self.reduces = self.reduces and bool(intent.document.get("reduces"))
        if intent.order_id not in self.parts:
            self.parts.append(intent.order_id)
            self.quantity = round(self.quantity + intent.document["quantity"], 9)


def _orders_of(intents: Sequence[Intent]) -> dict[str, _Order]:
    """Return what was to be submitted, by order id without the number of a part, oldest first.

    Ids are counted up: what was withheld is written down later than what was sent beside it.
    """
    orders: dict[str, _Order] = {}
    for item in intents:
        is_withheld = item.verb == DROPPED and not item.document.get("reduces")
        if item.verb == "submit" or is_withheld:
            order_id = _PART.sub("", item.order_id)
            orders.setdefault(order_id, _Order(item)).add(item)
    return dict(sorted(orders.items(), key=lambda entry: (len(entry[0]), entry[0])))


def _entry_ids(orders: Mapping[str, _Order]) -> dict[str, list[str]]:
    """Return by plan the ids of the entries: commands name orders by them."""
    ids: dict[str, list[str]] = {}
    for order_id, order in orders.items():
        if not order.reduces:
            ids.setdefault(order.first.plan_id, []).append(order_id)
    return ids


def _withheld(orders: Mapping[str, _Order], refusals: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of which no part ever reached the venue, with why."""
    found = {}
    for order_id, order in orders.items():
        is_lost = all(refusals.get(part) == NEVER_ARRIVED for part in order.parts)
        if not order.reduces and (is_lost or not order.is_sent):
            found[order_id] = refusals.get(order_id, "not sent")
    return found


def _as_finding(intent: Intent, why: str) -> Finding:
    when = iso_time(intent.bar_start) if intent.bar_start else ""
    return Finding(when, intent.plan_id, f"entry {intent.order_id} did not reach the venue: {why}")


def _children_sent(
    order: _Order, count: int, orders: Mapping[str, _Order]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Return an entry's children as they were sent, and whether they were orders of their own.

    Where the venue keeps none they are sent once the entry has filled, under the ids after its own.
    """
    along = list(order.first.document.get("children", ()))
    number = re.search(r"\d+$", order.first.order_id)
    if along or number is None:
        return along, False
    head, digits = order.first.order_id[: number.start()], number.group()
    ids = [f"{head}{int(digits) + k:0{len(digits)}d}" for k in range(1, count + 1)]
    own = [orders[order_id].first.document for order_id in ids if order_id in orders]
    return own, True


def _order_differences(
    order: _Order, start: int, request: Any, orders: Mapping[str, _Order]
) -> str:
    intent, document = order.first, order.first.document
    children, are_own = _children_sent(order, len(request.children), orders)
    wanted: dict[str, Any] = {
        "side": int(request.side),
        "quantity": request.quantity,
        "kind": int(request.kind),
    }
    found: dict[str, Any] = {
        "side": document.get("side"),
        "quantity": order.quantity,
        "kind": document.get("kind"),
    }
    if children or not are_own or not _keeps_children_itself(orders):
        wanted["children"] = [child.role.name.lower() for child in request.children]
        found["children"] = [Role(child["role"]).name.lower() for child in children]
    words = [
        f"{name} {found[name]} was sent, the backtest has {value}"
        for name, value in wanted.items()
        if found[name] != value
    ]
    if intent.bar_start and intent.bar_start != start:
        words.append(f"was sent on the bar of {iso_time(intent.bar_start)}")
    prices = [("price", request.price, document.get("price"))]
    if not are_own:  # else it may have been moved before it was sent
        for child, told in zip(request.children, children, strict=False):
            prices.append((child.role.name.lower(), child.price, told.get("price")))
    words += [
        f"{name} {told:g} was sent, the backtest has {own:g}"
        for name, own, told in prices
        if own is not None and told is not None and abs(own - told) > 1e-6 * abs(own)
    ]
    return ", ".join(words)


def _keeps_children_itself(orders: Mapping[str, _Order]) -> bool:
    """Whether stops and targets were orders of the session's own."""
    return not any(order.first.document.get("children") for order in orders.values())


def _compare_failures(exit_reason: str, failure: str) -> Iterator[Finding]:
    """Hold the fault a strategy ended the session with against the backtest's."""
    told = exit_reason.partition(STRATEGY_ERROR)[2]
    if told != failure:
        words = [text or "nothing" for text in (told, failure)]
        what = f"a strategy raised {words[0]} in the session, {words[1]} in the backtest"
        yield Finding("", "", what)


def _compare_fills(fills: Sequence[Any], run: _Backtest) -> Iterator[Finding]:
    """Hold the fills each plan booked against the backtest's, one by one."""
    for plan_id in run.plan_ids:
        yield from _compare_fills_of(
            [item for item in fills if item.plan_id == plan_id],
            _whole([item for item in run.broker.ledger.fills if item.plan_id == plan_id]),
        )


def _whole(fills: Sequence[TradeFill]) -> list[TradeFill]:
    """Return fills with both parts of one that turned a position round as one, as it was booked."""
    found: list[TradeFill] = []
    for fill in fills:
        last = found[-1] if found else None
        if last is not None and _turns(last, fill):
            both = (last.quantity + fill.quantity, last.costs + fill.costs)
            found[-1] = replace(last, quantity=both[0], costs=both[1])
        else:
            found.append(fill)
    return found


def _turns(last: TradeFill, fill: TradeFill) -> bool:
    same = (last.order_id, last.time, last.price) == (fill.order_id, fill.time, fill.price)
    return same and fill.trade_id != last.trade_id


def _compare_fills_of(fills: Sequence[Any], made: Sequence[Any]) -> Iterator[Finding]:
    for place in range(max(len(fills), len(made))):
        if place >= len(fills):
            own = made[place]
            yield Finding(iso_time(own.bar_start), own.plan_id, f"a fill is missing: {_fill(own)}")
            return
        told = fills[place]
        if place >= len(made):
            text = f"{told.side.name.lower()} {told.quantity:g} @ {told.price:g}"
            yield Finding(iso_time(told.ts), told.plan_id, f"the backtest has no fill {text}")
            return
        own = made[place]
        words = _fill_differences(told, own)
        if words:
            yield Finding(iso_time(own.bar_start), own.plan_id, words)


def _fill(fill: Any) -> str:
    return f"{fill.side} {fill.quantity:g} @ {fill.price:g} ({fill.reason})"


def _fill_differences(told: Any, own: Any) -> str:
    pairs = [
        ("side", told.side.name.lower(), own.side),
        ("quantity", told.quantity, round(own.quantity, 9)),
        ("price", told.price, own.price),
        ("time", iso_time(told.ts), iso_time(own.time)),
        ("costs", round(sum(told.costs.values()), 2), round(own.costs, 2)),
    ]
    return ", ".join(
        f"{name} {mine} was booked, the backtest has {theirs}"
        for name, mine, theirs in pairs
        if mine != theirs
    )
