"""The parity proof: what a session consumed, fed to the backtest, must give what the session did.

The record holds the bars as the strategies saw them, the ticks they were built of and every
command. From the ticks the bars are built again; through the ticks the backtest's broker plays
those bars under the same guard; its requests, fills and trades are held against the recorded ones.
On paper the recorded orders and fills are never an input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt
import numpy as np

from backtests.engine import PlanRun, strategy_maker
from backtests.fills.broker import BacktestBroker
from backtests.loading import LoadedPlan
from backtests.loop.cerebro import Cerebro
from backtests.request import AccountRequest
from core.bars import BAR, Series, parse_timeframe
from core.calendar import get_calendar
from core.events import Bars, Command, Event, Ticks
from core.orders import Role
from core.results import iso_time
from core.schedule import FlatRule, apply_flat_times
from core.ticks import CLOSES, OPENS_BAR, TICK, TRADE, Tape
from feeds.bar_builder import BarBuilder
from feeds.bulk import BulkData
from live.journal import Journal, SessionFacts
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard
from risk.memory import remember

HAND_REASONS = frozenset(
    {"flatten", "killed", "session_end", "unprotected", "by_hand", "strategy_error"}
)
"""Exit reasons of what a command closed: the backtest calls all of them `flatten`."""
_PART = re.compile(r"x\d+$")
"""What follows the id of an order whose further parts were sent as orders of their own."""
_PRICES = ("open", "high", "low", "close")


@dataclass
class Record:
    """A session's sequence, sorted by what the proof needs.

    bars, late : of each feed by its name in Cerebro. ticks : by symbol, each with the number of
    Bars events before it. commands : (Bars events before it, ticks before it by symbol, command).
    """

    bars: dict[str, list[Any]] = field(default_factory=dict)
    late: dict[str, list[bool]] = field(default_factory=dict)
    groups: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    ticks: dict[str, list[Any]] = field(default_factory=dict)
    commands: list[tuple[int, dict[str, int], Command]] = field(default_factory=list)
    events: int = 0


def read_record(events: Iterator[tuple[int, Event]]) -> Record:
    """Sort a journal's events."""
    record = Record()
    counts: dict[str, int] = {}
    for _, event in events:
        record.events += 1
        if isinstance(event, Ticks):
            record.ticks.setdefault(event.symbol, []).append(event.ticks)
            counts[event.symbol] = counts.get(event.symbol, 0) + len(event.ticks)
        elif isinstance(event, Bars):
            record.groups.append((int(event.bars["end"][0]), event.names))
            for name, late, bar in zip(event.names, event.late, event.bars, strict=True):
                record.bars.setdefault(name, []).append(bar)
                record.late.setdefault(name, []).append(late)
        elif isinstance(event, Command):
            record.commands.append((len(record.groups), dict(counts), event))
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
    """What the proof came to."""

    findings: list[Finding]
    bars: int
    orders: int
    trades: int
    fills: int
    missed: int
    commands: int

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
    """
    first, last = chain[0], chain[-1]
    stop = _end_of(journal, last)
    events = ((seq, event) for seq, event in journal.events(first.first_seq) if seq <= stop)
    record = read_record(events)
    findings = list(_built_again(record, account, calendar_file))
    run = _Backtest(account, flats, record, first.document, calendar_file)
    run.run()
    ids = {item.session_id for item in chain}
    intents = [item for facts in chain for item in journal.intents(facts.session_id)]
    fills = [item for item in journal.executions() if item.session_id in ids]
    findings += _compare_orders(intents, run)
    findings += _compare_fills(fills, run)
    return Verified(
        sorted(findings, key=lambda item: item.bar or "9"),
        sum(len(bars) for name, bars in record.bars.items() if "/" not in name),
        sum(item.verb == "submit" for item in intents),
        len(run.broker.ledger.trades),
        len(fills),
        sum(sum(late) for name, late in record.late.items() if "/" not in name),
        sum(command.author != "session" for _, _, command in record.commands),
    )


def _end_of(journal: Journal, last: SessionFacts) -> int:
    later = [item.first_seq for item in journal.sessions() if item.session_id > last.session_id]
    return min(later) - 1 if later else journal.last_seq


# -- bars from ticks -------------------------------------------------------------------------


def _built_again(
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
        builder = BarBuilder(calendar, step)
        built = np.concatenate([builder.take(ticks), builder.close(int(told[-1]["end"]))])
        by_start = {int(bar["start"]): bar for bar in built}
        for bar, late in zip(told, record.late[plan.plan_id], strict=True):
            start = int(bar["start"])
            own = by_start.get(start)
            if own is None:
                if not late and start >= int(ticks["ts_event"][0]):
                    yield Finding(iso_time(start), plan.plan_id, "its ticks are missing")
                continue
            words = [
                f"{name} {bar[name]:g} was delivered, its ticks make {own[name]:g}"
                for name in _PRICES
                if float(bar[name]) != float(own[name])
            ]
            if words and not late:
                yield Finding(iso_time(start), plan.plan_id, ", ".join(words))


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
    ) -> None:
        cash = float(beginning["cash"])
        self._memory = beginning["guard"]
        self._account = account
        self._record = record
        self._calendar_file = calendar_file
        self.requests: list[tuple[int, Any, bool]] = []
        self.plans: list[PlanRun] = []
        self._cerebro = Cerebro(stdstats=False)
        for plan, rules in zip(account.plans, flats, strict=True):
            self._add_feeds(plan, rules)
        tapes = {plan.plan_id: self._tape(plan) for plan in account.plans}
        self.broker = BacktestBroker(
            cash=cash, account_currency=account.currency, intrabar="ticks", tapes=tapes
        )
        for run in self.plans:
            asked = run.loaded.request
            self.broker.add_instrument(run.data, asked.instrument, asked.plan_id, fx=asked.fx)
        self.guard = Guard(self.broker, *account.limits)
        self._watch_requests()

    def run(self) -> None:
        """Run it."""
        cerebro, record = self._cerebro, self._record
        cerebro.setbroker(self.guard)
        hands = _hands_by_bar(record, [plan.plan_id for plan in self._account.plans])
        cerebro.addstrategy(_Hands, guard=self.guard, by_bar=hands, memory=self._memory)
        for run in self.plans:
            cerebro.addstrategy(strategy_maker(run, alone=False), **run.loaded.request.params)
        cerebro.addanalyzer(DailyLoss, _name="daily_loss")
        cerebro.addanalyzer(TradeRisk, _name="trade_risk")
        cerebro.use_masks = False
        cerebro.run()

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
        loaded = LoadedPlan(plan, series, further, calendar, schedule)
        self.plans.append(PlanRun(loaded, data))

    def _tape(self, plan: Any) -> Tape:
        """Return a plan's ticks, marked where a command closed it."""
        parts = self._record.ticks.get(plan.instrument.symbol, [])
        ticks = np.concatenate(parts) if parts else np.zeros(0, TICK)
        cuts = [
            counts.get(plan.instrument.symbol, 0)
            for _, counts, command in self._record.commands
            if _closes(command, plan)
        ]
        return Tape(_with_closes(ticks, cuts), "path")

    def _watch_requests(self) -> None:
        submit = self.broker.submit_approved

        def noted(approved: Any, orders: Sequence[Any]) -> None:
            data, request = orders[0].data, approved.request
            held = float(self.broker.getposition(data).size)
            closes = held * int(request.side) < 0 and request.quantity <= abs(held) + 1e-9
            self.requests.append((int(data.bars["start"][len(data) - 1]), request, closes))
            submit(approved, orders)

        self.broker.submit_approved = noted  # type: ignore[method-assign]


def _closes(command: Command, plan: Any) -> bool:
    if command.name not in ("flatten", "close"):
        return False
    wanted = command.arguments.get("plan")
    return not wanted or wanted in (plan.plan_id, plan.instrument.symbol)


def _with_closes(ticks: Any, cuts: Sequence[int]) -> Any:
    """Return ticks with CLOSES where commands came; inside a bar the present price is told again.

    A command between two bars closes at the next one's first price.
    """
    marked = ticks.copy()
    inserts: list[tuple[int, Any]] = []
    for cut in cuts:
        if cut >= len(marked):
            continue
        if cut == 0 or marked["flags"][cut] & OPENS_BAR:
            marked["flags"][cut] |= CLOSES
        else:
            again = marked[cut - 1 : cut].copy()
            again["flags"] = TRADE | OPENS_BAR | CLOSES
            again["volume"] = 0.0
            inserts.append((cut, again))
    for cut, again in sorted(inserts, key=lambda item: -item[0]):
        marked = np.concatenate([marked[:cut], again, marked[cut:]])
    return marked


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


def _hands_by_bar(record: Record, plan_ids: Sequence[str]) -> dict[int, list[Command]]:
    """Return the commands that switch entries, by END of the bar before whose step they act."""
    found: dict[int, list[Command]] = {}
    for place, _, command in record.commands:
        if command.name in ("block", "unblock", "pause", "resume") and place < len(record.groups):
            found.setdefault(record.groups[place][0], []).append(command)
    return found


class _Hands(bt.Strategy):  # type: ignore[misc]
    """Switches entries off and on where the session did, before the strategies' own step."""

    params = (("guard", None), ("by_bar", None), ("memory", None))

    def start(self) -> None:
        """Remember what the session's guard knew when it began."""
        remember(self.p.guard, self.p.memory)

    def prenext(self) -> None:
        """Act from the first bar on."""
        self.next()

    def next(self) -> None:
        """Apply the commands that came before this bar."""
        end = max(int(data.bars["end"][len(data) - 1]) for data in self.datas if len(data))
        for command in self.p.by_bar.pop(end, ()):
            given: Mapping[str, Any] = command.arguments
            rule = str(given.get("rule", "paused"))
            if command.name in ("block", "pause"):
                self.p.guard.block(rule, str(given.get("detail", "")))
            else:
                self.p.guard.unblock(rule)


# -- comparing -------------------------------------------------------------------------------


def _compare_orders(intents: Sequence[Any], run: _Backtest) -> Iterator[Finding]:
    """Hold the entries each plan sent against those the backtest made, one by one."""
    orders = _orders_of(intents)
    sent = [order for order in orders.values() if not order.reduces]
    # On a hedging account each part of an order says itself what it closes.
    closes_known = any(order.first.document.get("position_id") for order in orders.values())
    made = [
        (start, request)
        for start, request, closes in run.requests
        if not request.reduces and not (closes and closes_known)
    ]
    for plan in run.plans:
        plan_id = plan.loaded.request.plan_id
        yield from _compare_entries(
            [order for order in sent if order.first.plan_id == plan_id],
            [item for item in made if item[1].plan_id == plan_id],
            orders,
        )


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
    """An order as it was sent, whole or in parts.

    first : the intent of its first part. reduces : none of them opens.
    """

    first: Any
    quantity: float
    reduces: bool


def _orders_of(intents: Sequence[Any]) -> dict[str, _Order]:
    """Return what was submitted, by order id without the number of a part."""
    orders: dict[str, _Order] = {}
    for item in intents:
        if item.verb != "submit":
            continue
        order_id = _PART.sub("", item.order_id)
        quantity, reduces = item.document["quantity"], bool(item.document.get("reduces"))
        known = orders.get(order_id)
        if known is None:
            orders[order_id] = _Order(item, quantity, reduces)
        else:
            known.quantity = round(known.quantity + quantity, 9)
            known.reduces = known.reduces and reduces
    return orders


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


def _compare_fills(fills: Sequence[Any], run: _Backtest) -> Iterator[Finding]:
    """Hold the fills each plan booked against the backtest's, one by one."""
    for plan in run.plans:
        plan_id = plan.loaded.request.plan_id
        yield from _compare_fills_of(
            [item for item in fills if item.plan_id == plan_id],
            [item for item in run.broker.ledger.fills if item.plan_id == plan_id],
        )


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
        ("quantity", told.quantity, own.quantity),
        ("price", told.price, own.price),
        ("time", iso_time(told.ts), iso_time(own.time)),
        ("costs", round(sum(told.costs.values()), 2), round(own.costs, 2)),
    ]
    return ", ".join(
        f"{name} {mine} was booked, the backtest has {theirs}"
        for name, mine, theirs in pairs
        if mine != theirs
    )
