"""The paper exchange behind the venue port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from brokers.limits import Usage
from brokers.paper import paper_capabilities
from brokers.paper.book import PaperBook
from brokers.paper.ledger import PaperLedger
from brokers.port import Capabilities, OrderChangeRequest, VenueOrder
from core.events import (
    AccountUpdate,
    Answer,
    CashFlow,
    Execution,
    FloorMet,
    HistoryBars,
    Link,
    LinkState,
    OrderStatus,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    Snapshot,
    Verb,
)
from core.events import Event as VenueEvent
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.book import LimitFill
from core.matching.floors import breach_reason
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    EXPIRE_EVENT,
    FILL_EVENT,
    MARGIN_EVENT,
    REASONS,
    SWAP_EVENT,
    TRAILING_STOP_ORDER,
    Event,
    read_events,
)
from core.orders import ChildRequest, OrderChange, OrderKind, OrderRequest, Role, Side
from core.ports import BREACH_NONE, no_limits
from feeds.path_ticks import path_ticks

_ENDS = {
    EXPIRE_EVENT: OrderStatus.EXPIRED,
    MARGIN_EVENT: OrderStatus.REJECTED,
}


class History(Protocol):
    """Where a paper account's past prices come from."""

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Return the completed bars (BAR) with `start` <= START and END <= `end`."""


class PaperVenue:
    """One paper account: books of its plans on one balance, a ledger on disk.

    Parameters
    ----------
    emit : callable(event)
        Takes what happens, in order; called before a method returns.
    history : where past prices are found: for the engine's requests, and to play what it missed.
    cash : balance of a new account, account currency.
    native, hedging : how brackets and positions are kept (`paper_capabilities`).
    discrete : prices are trades; else they are the path of replayed bars.
    """

    def __init__(
        self,
        emit: Callable[[VenueEvent], None],
        history: History,
        cash: float,
        *,
        ledger: PaperLedger | None = None,
        native: bool = True,
        hedging: bool = False,
        discrete: bool = False,
        limit_fill: LimitFill = "touch",
        volume_share: float | None = None,
    ) -> None:
        self._emit = emit
        self._history = history
        self._ledger = ledger or PaperLedger()
        self._limits: Any = None
        self._capabilities = paper_capabilities(native=native, hedging=hedging)
        self._terms: dict[str, Any] = {
            "discrete": discrete, "limit_fill": limit_fill, "volume_share": volume_share,
        }  # fmt: skip
        self._lock = threading.RLock()
        self._books: dict[str, PaperBook] = {}
        self._timeframes: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._orders: dict[int, dict[str, Any]] = {}
        self._balance = float(cash)
        self._count = self._fill_count = self._version = 0
        self._now = 0
        self._low = float("inf")
        self._told_equity: tuple[float, ...] = ()
        self._trails: dict[int, float] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What a paper account can do."""
        return self._capabilities

    @property
    def balance(self) -> float:
        """Realised money, account currency."""
        return self._balance

    @property
    def resume_time(self) -> int:
        """Market time the account's ledger has seen (ns UTC), 0 for a new one."""
        if not self._now:
            state = self._ledger.load()
            return 0 if state is None else int(state["now"])
        return self._now

    @property
    def is_idle(self) -> bool:
        """Whether no price could change anything: no position, no order."""
        return not any(book.is_live for book in self._books.values())

    def add_plan(self, plan_id: str, instrument: Instrument, fx: FxRate, timeframe_ns: int) -> None:
        """Let a plan trade an instrument. Called before `connect`."""
        self._books[plan_id] = PaperBook(plan_id, instrument, fx, limits=None, **self._terms)
        self._timeframes[plan_id] = timeframe_ns

    # -- connection --------------------------------------------------------------------------

    def connect(self, now: int = 0) -> None:
        """Open the account as it was left, and play what the market did meanwhile."""
        with self._lock:
            state = self._ledger.load()
            if state is not None and not self._now:
                self._restore(state)
            if self._now and now > self._now:
                self._catch_up(now)
            self._now = max(self._now, now)
            self._emit(Link(LinkState.CONNECTED, ts_event=self._now))

    def disconnect(self, timeout_secs: float = 5.0) -> None:
        """Close the account's file."""
        with self._lock:
            self._save()
            self._ledger.close()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Do nothing: the engine brings the prices itself."""

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Do nothing: the engine brings the prices itself."""

    def usage(self) -> Sequence[Usage]:
        """Return nothing: paper counts no requests."""
        return ()

    # -- questions ---------------------------------------------------------------------------

    def request_history(
        self, request_id: int, symbol: str, timeframe_ns: int, start: int, end: int
    ) -> None:
        """Answer with past bars."""
        bars = self._history.history(symbol, timeframe_ns, start, end)
        self._emit(HistoryBars(request_id, symbol, timeframe_ns, bars, ts_event=self._now))

    def request_snapshot(self, request_id: int, since: int) -> None:
        """Answer with the account, its orders and positions, and executions since a time."""
        with self._lock:
            self._emit(
                Snapshot(
                    request_id,
                    self._now,
                    self._account(),
                    tuple(self._order_update(number) for number in self._working()),
                    tuple(self._positions()),
                    tuple(self._executions(since)),
                    ts_event=self._now,
                )
            )

    def _account(self) -> AccountUpdate:
        opened = sum(book.open_pnl for book in self._books.values())
        margin = sum(float(book.book.state.margin) for book in self._books.values())
        return AccountUpdate(self._balance, self._balance + opened, margin)

    def _working(self) -> list[int]:
        numbers = []
        for book in self._books.values():
            numbers += [int(slot["order_id"]) for slot in book.book.working()]
        return sorted(numbers)

    def _positions(self) -> list[PositionUpdate]:
        found: dict[str, PositionUpdate] = {}
        for plan_id, book in self._books.items():
            steps = book.book.steps
            key = plan_id if self._hedging else book.instrument.symbol
            size = book.size(steps) * (1 if steps >= 0 else -1)
            held = found.get(key)
            total = size if held is None else held.quantity + size
            price = float(book.book.state.average)
            found[key] = PositionUpdate(
                book.instrument.symbol, round(total, 9), price, plan_id if self._hedging else ""
            )
        return list(found.values())

    @property
    def _hedging(self) -> bool:
        return self._capabilities.position_mode.name == "HEDGING"

    def _executions(self, since: int) -> list[Execution]:
        return [
            Execution(
                row["fill_id"],
                f"P{row['number']}",
                row["symbol"],
                Side(row["side"]),
                row["quantity"],
                row["price"],
                row["order_id"],
                row["order_id"],
                row["plan_id"],
                row["reason"],
                adverse=row["adverse"],
                favourable=row["favourable"],
                ts_event=row["ts"],
            )
            for row in self._ledger.fills()
            if row["ts"] >= since
        ]

    # -- orders ------------------------------------------------------------------------------

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Take an order with its children."""
        with self._lock:
            known = self._numbers.get(order.order_id)
            if known is not None:
                self._answer(request_id, Verb.SUBMIT, order.order_id, known, "this id was used")
                return
            book = self._books.get(order.plan_id)
            if book is None:
                text = f"plan {order.plan_id!r} has no book here"
                self._answer(request_id, Verb.SUBMIT, order.order_id, 0, text)
                return
            request = self._request(order)
            self._join_others(book)
            events = book.add(request, self._balance)
            numbers = [request.order_id, *(child.order_id for child in request.children)]
            outcome = Answer(
                request_id,
                Verb.SUBMIT,
                Outcome.ACCEPTED,
                order.order_id,
                f"P{numbers[0]}",
                ts_event=self._now,
            )
            told: list[VenueEvent] = [outcome]
            told += [self._order_update(number) for number in numbers if number in self._orders]
            self._tell(book, events, told)

    def _request(self, order: VenueOrder) -> OrderRequest:
        """Return an order in the engine's words, its ids as this exchange's numbers."""
        number = self._take_number(order, order.order_id, order.role, 0)
        side = Side.SELL if order.side is Side.BUY else Side.BUY
        children = []
        for child in order.children:
            child_number = self._take_number(order, child.order_id, child.role, number, side, child)
            children.append(
                ChildRequest(
                    child_number,
                    child.role,
                    child.kind,
                    child.quantity or order.quantity,
                    child.price,
                    child.limit_price,
                    child.trail_amount,
                    child.trail_percent,
                    child.stop_to,
                )
            )
        return OrderRequest(
            number,
            order.plan_id,
            order.symbol,
            order.side,
            order.quantity,
            order.kind,
            order.price,
            order.limit_price,
            order.trail_amount,
            order.trail_percent,
            order.time_in_force,
            order.expires,
            oco=self._numbers.get(order.oco),
            reduces=order.reduces,
            children=tuple(children),
        )

    def _take_number(
        self,
        order: VenueOrder,
        order_id: str,
        role: Role,
        parent: int,
        side: Side | None = None,
        child: Any = None,
    ) -> int:
        self._count += 1
        number = self._count
        self._ids[number], self._numbers[order_id] = order_id, number
        kind: OrderKind = order.kind if child is None else child.kind
        quantity = order.quantity if child is None else child.quantity or order.quantity
        row = {
            "number": number, "order_id": order_id, "plan_id": order.plan_id,
            "symbol": order.symbol, "side": int(side or order.side), "quantity": quantity,
            "kind": kind.name, "role": role.name,
            "price": order.price if child is None else child.price, "parent": parent,
            "status": "WORKING" if child is None else "HELD", "filled": 0.0, "reason": "",
            "made": self._now,
        }  # fmt: skip
        self._orders[number] = row
        self._ledger.order(**row)
        return number

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working or held order."""
        with self._lock:
            number = self._numbers.get(change.order_id, 0)
            row = self._orders.get(number)
            book = None if row is None else self._books[row["plan_id"]]
            changed = book is not None and book.book.change(
                OrderChange(number, change.price, change.limit_price, change.quantity)
            )
            why = "" if changed else "this order works no more"
            self._answer(request_id, Verb.MODIFY, change.order_id, number, why)
            if changed and book is not None:
                self._note_terms(book, number)
                self._save()
                self._emit(self._order_update(number))

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working or held order."""
        with self._lock:
            number = self._numbers.get(order_id) or int(venue_order_id.lstrip("P") or 0)
            row = self._orders.get(number)
            if row is None:
                self._answer(request_id, Verb.CANCEL, order_id, number, "this order works no more")
                return
            book = self._books[row["plan_id"]]
            self._join_others(book)
            answer = Answer(
                request_id,
                Verb.CANCEL,
                Outcome.ACCEPTED,
                order_id,
                f"P{number}",
                ts_event=self._now,
            )
            self._tell(book, read_events(book.book.cancel(number)), [answer])

    def close_position(self, request_id: int, symbol: str, position_id: str = "") -> None:
        """Close a whole position at the next price, whoever opened it."""
        with self._lock:
            for plan_id, book in self._books.items():
                if book.instrument.symbol == symbol and position_id in ("", plan_id):
                    self._join_others(book)
                    self._tell(book, read_events(book.book.flatten()), [])
            self._answer(request_id, Verb.CLOSE, "", 0, "")

    def _answer(self, request_id: int, verb: Verb, order_id: str, number: int, why: str) -> None:
        outcome = Outcome.REFUSED if why else Outcome.ACCEPTED
        venue_id = f"P{number}" if number else ""
        self._emit(Answer(request_id, verb, outcome, order_id, venue_id, why, ts_event=self._now))

    # -- the market --------------------------------------------------------------------------

    def begin_bar(self, plan_id: str, bar: np.record) -> None:
        """A plan's bar begins."""
        with self._lock:
            book = self._books[plan_id]
            self._join_others(book)
            self._tell(book, book.begin_bar(bar, self._balance), [])

    def see(self, symbol: str, ticks: np.ndarray[Any, Any]) -> None:
        """Match prices of a symbol."""
        with self._lock:
            books = [book for book in self._books.values() if book.instrument.symbol == symbol]
            for tick in ticks:
                for book in books:
                    self._match(book, tick)

    def _match(self, book: PaperBook, tick: np.record) -> None:
        self._now = max(self._now, int(tick["ts_event"]))
        self._join_others(book)
        self._tell(book, book.see(tick, self._balance), [])
        self._after_breach(book)

    def finish_bar(self, plan_id: str, bar: np.record) -> None:
        """A plan's bar is over; tell where trailing stops stand, and the account."""
        with self._lock:
            book = self._books[plan_id]
            self._now = max(self._now, int(bar.end))
            self._join_others(book)
            was_live = book.is_live
            self._tell(book, book.finish_bar(bar, self._balance), [])
            if was_live:
                self._show_trails(book)

    def _join_others(self, book: PaperBook) -> None:
        """Tell a book the account's balance and what its other books are worth."""
        book.book.books["balance"][0] = self._balance
        if len(self._books) == 1:
            return
        opened = slope = margin = 0.0
        for other in self._books.values():
            if other is book or other.book.steps == 0:
                continue
            state = other.book.state
            margin += float(state.margin)
            if other.instrument.symbol == book.instrument.symbol:
                each = other.book.steps * float(other.book.market["step_value"][0])
                slope += each
                opened += other.open_pnl - each * other.price
            else:
                opened += other.open_pnl
        state = book.book.state
        state.other_open, state.other_slope, state.other_margin = opened, slope, margin

    def _after_breach(self, book: PaperBook) -> None:
        """Close the other books where one met a floor, and say so."""
        limits = book.book.limits[0]
        if self._limits is None or int(limits.breach) == BREACH_NONE:
            return
        met = FloorMet(
            int(limits.breach),
            float(limits.breach_equity),
            float(limits.breach_price),
            ts_event=self._now,
        )
        reason = int(breach_reason(limits))
        for other in self._books.values():
            if other is not book and other.is_live:
                self._join_others(other)
                self._tell(other, read_events(other.book.flatten(reason)), [])
        self._save()
        self._emit(met)

    def _show_trails(self, book: PaperBook) -> None:
        for slot in book.book.working():
            number = int(slot["order_id"])
            price = float(slot["price"])
            if slot["kind"] == TRAILING_STOP_ORDER and self._trails.get(number) != price:
                self._trails[number] = price
                self._note_terms(book, number)
                self._emit(self._order_update(number))

    # -- telling -----------------------------------------------------------------------------

    def _tell(self, book: PaperBook, events: list[Event], told: list[VenueEvent]) -> None:
        """Write what happened into the ledger, commit, and only then tell it."""
        if not events and not told:
            return
        if events:
            self._balance = float(book.book.books["balance"][0])
        for event in events:
            told += self._told_of(book, event)
        self._save()
        for item in told:
            self._emit(item)

    def _told_of(self, book: PaperBook, event: Event) -> list[VenueEvent]:
        number = event.order_id
        if event.kind == FILL_EVENT:
            return self._filled(book, event)
        if event.kind == SWAP_EVENT:
            symbol = book.instrument.symbol
            return [CashFlow("swap", event.costs, symbol, book.plan_id, ts_event=self._now)]
        row = self._orders.get(number)
        if row is None:
            return []
        if event.kind == ACTIVE_EVENT:
            self._change(number, status="WORKING")
        elif event.kind == CHANGE_EVENT:
            self._note_terms(book, number)
        else:
            status = _ENDS.get(event.kind, OrderStatus.CANCELLED)
            self._change(number, status=status.name, reason=REASONS[event.reason])
        update = self._order_update(number)
        if OrderStatus[row["status"]].is_end:
            self._forget(number)
        return [update]

    def _filled(self, book: PaperBook, event: Event) -> list[VenueEvent]:
        quantity = book.size(event.quantity)
        row = self._orders.get(event.order_id)
        order_id = "" if row is None else row["order_id"]
        if row is None:
            self._count += 1
        number = self._count if row is None else event.order_id
        self._fill_count += 1
        fill_id = f"F{self._fill_count}"
        reason = REASONS[event.reason]
        self._ledger.fill(
            fill_id=fill_id, number=number, order_id=order_id, plan_id=book.plan_id,
            symbol=book.instrument.symbol, side=event.side, quantity=quantity, price=event.price,
            ts=self._now, reason=reason, adverse=event.adverse, favourable=event.favourable,
        )  # fmt: skip
        told: list[VenueEvent] = [
            Execution(
                fill_id,
                f"P{number}",
                book.instrument.symbol,
                Side(event.side),
                quantity,
                event.price,
                order_id,
                order_id,
                book.plan_id,
                reason,
                adverse=event.adverse,
                favourable=event.favourable,
                ts_event=self._now,
            )
        ]
        if row is not None:
            filled = round(row["filled"] + quantity, 9)
            done = filled >= row["quantity"] - 1e-9
            self._change(number, filled=filled, status="FILLED" if done else row["status"])
            if done:
                told.append(self._order_update(number))
                self._forget(number)
        return told

    def _note_terms(self, book: PaperBook, number: int) -> None:
        """Take an order's terms from the book: what is left of it, and where it stands."""
        slot = book.book.slot(number)
        if slot is None:
            return
        row = self._orders[number]
        price = float(slot.limit if slot.kind == OrderKind.STOP_LIMIT else slot.price)
        total = round(row["filled"] + book.size(int(slot.quantity)), 9)
        self._change(
            number,
            quantity=total,
            price=None if price != price else float(slot.price),
        )

    def _change(self, number: int, **changed: Any) -> None:
        self._orders[number].update(changed)
        self._ledger.update(number, **changed)

    def _order_update(self, number: int) -> OrderUpdate:
        row = self._orders[number]
        self._version += 1
        parent = self._ids.get(row["parent"], "")
        return OrderUpdate(
            OrderStatus[row["status"]],
            f"P{number}",
            row["order_id"],
            row["order_id"],
            f"P{row['parent']}" if parent else "",
            row["symbol"],
            Side(row["side"]),
            row["filled"],
            quantity=row["quantity"],
            price=row["price"],
            version=self._version,
            reason=row["reason"],
            ts_event=self._now,
        )

    def _forget(self, number: int) -> None:
        """Drop an ended order from memory; its row and its id stay in the ledger."""
        self._orders.pop(number, None)
        self._trails.pop(number, None)

    # -- on disk -----------------------------------------------------------------------------

    def _save(self) -> None:
        self._ledger.save(
            {
                "balance": self._balance,
                "counts": (self._count, self._fill_count, self._version),
                "now": self._now,
                "orders": list(self._orders.values()),
                "books": {name: book.state() for name, book in self._books.items()},
            }
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._balance = state["balance"]
        self._count, self._fill_count, self._version = state["counts"]
        self._now = state["now"]
        self._orders = {row["number"]: row for row in state["orders"]}
        for row in self._ledger.orders():
            self._ids[row["number"]] = row["order_id"]
            self._numbers[row["order_id"]] = row["number"]
        for name, kept in state["books"].items():
            if name in self._books:
                self._books[name].restore(kept)

    def _catch_up(self, now: int) -> None:
        """Play what the market did since the account was last open; no floor is watched then."""
        played = []
        for plan_id, book in self._books.items():
            if book.is_live:
                bars = self._history.history(
                    book.instrument.symbol,
                    self._timeframes[plan_id],
                    int(book.bar["start"][0]),
                    now,
                )
                played += [(int(bar["end"]), plan_id, bar) for bar in bars]
        watched, since = self._limits, self._now
        self.watch(None)
        for _, plan_id, bar in sorted(played, key=lambda item: item[:2]):
            self._play_missed(plan_id, self._books[plan_id], bar, since)
        self.watch(watched)

    def watch(self, limits: Any) -> None:
        """Let the books test the guard's floors (its LIMITS array), or (None) none."""
        self._limits = limits
        if self._capabilities.keeps_floors:
            for book in self._books.values():
                book.book.limits = no_limits() if limits is None else limits

    def _play_missed(self, plan_id: str, book: PaperBook, bar: np.record, since: int) -> None:
        is_open = book.in_bar and int(bar.start) == int(book.bar["start"][0])
        if not is_open and int(bar.end) <= int(book.bar["end"][0]):
            return
        if not is_open:
            self.begin_bar(plan_id, bar)
        ticks = path_ticks(np.atleast_1d(bar), float(book.book.market["tick"][0]))
        for tick in ticks[ticks["ts_event"] > since]:
            self._match(book, tick)
        self.finish_bar(plan_id, bar)
