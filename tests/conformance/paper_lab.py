"""The paper exchange as a lab: it fills on the very prices our engine consumes, so while our side
is away its market is told as history when it comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brokers.paper.ledger import PaperLedger
from brokers.paper.venue import PaperVenue
from brokers.port import OrderChangeRequest, VenueOrder
from core.bars import BAR
from core.calendar import get_calendar
from core.events import (
    Answer,
    Clock,
    Event,
    HistoryBars,
    Link,
    LinkState,
    Outcome,
    Snapshot,
    Ticks,
    Verb,
)
from core.fx import constant_rate
from core.instruments import get_instrument
from core.orders import OrderKind, Role, Side
from core.ticks import TICK, TRADE
from tests.conformance.lab import MINUTE, SECOND, Lab, TrueFill, TrueOrder, Truth
from tests.conformance.our_side import PLAN

_VERBS = {"submit": Verb.SUBMIT, "modify": Verb.MODIFY, "cancel": Verb.CANCEL}
PLENTY = 10_000.0


class PaperLab(Lab):
    """A paper account of MGC without costs.

    Parameters
    ----------
    native, hedging : how it keeps brackets and positions.
    latency_ms : market time a request takes to the book.
    """

    instrument = get_instrument("MGC").without_costs().without_margin()
    other_symbol = "XAUUSD"
    calendar = "CMEGlobex_GC"
    base = 2000.0
    opens = 1_717_488_000 * SECOND  # 2024-06-04 08:00 UTC, a Tuesday

    def __init__(
        self, folder: Path, *, native: bool, hedging: bool, latency_ms: float = 0.0
    ) -> None:
        super().__init__(folder)
        self._how: dict[str, Any] = {
            "native": native, "hedging": hedging, "latency_ms": latency_ms,
        }  # fmt: skip
        self.market = _Market(self.base, self.opens, get_calendar(self.calendar))
        self.port: _PaperPort | None = None

    @property
    def _ledger(self) -> Path:
        return self.folder / "paper.db"

    # -- our side ----------------------------------------------------------------------------

    def open_port(self, emit: Callable[[Event], None]) -> Any:
        port = _PaperPort(self, emit)
        venue = PaperVenue(
            port.hear, self.market, self.cash,
            ledger=PaperLedger(self._ledger, synced=False), discrete=True, volume_share=1.0,
            **self._how,
        )  # fmt: skip
        venue.add_plan(PLAN, self.instrument, constant_rate("USD", "USD", 1.0), MINUTE)
        port.venue = venue
        self.port = port
        return port

    def join(self, our_side: Any) -> None:
        self._venue.watch(our_side.guard.limits)

    def drop_port(self) -> None:
        self._venue.ledger.close()
        self.port = None

    def close(self) -> None:
        if self.port is not None:
            self._venue.disconnect()

    @property
    def _venue(self) -> PaperVenue:
        assert self.port is not None and self.port.venue is not None
        return self.port.venue

    # -- the market --------------------------------------------------------------------------

    def show(self, price: float, volume: float | None = None) -> None:
        self.now += SECOND
        self.last = price
        volume = PLENTY if volume is None else volume
        self.market.print(self.now, price, volume)
        if self.port is None:
            return
        ticks = np.zeros(1, TICK)
        ticks["ts_event"] = ticks["ts_init"] = self.now
        ticks["price"], ticks["volume"], ticks["flags"] = price, volume, TRADE
        ticks["bid"] = ticks["ask"] = np.nan
        self.port.emit(Ticks(self.symbol, ticks, ts_event=self.now, ts_init=self.now))

    def pass_time(self, secs: float) -> None:
        self.now += round(secs * SECOND)
        self.market.now = self.now
        if self.port is not None:
            self.port.emit(Clock(ts_event=self.now, ts_init=self.now))

    def end_session(self) -> None:
        calendar = get_calendar(self.calendar)
        place = int(np.searchsorted(calendar.closes, self.now, side="right"))
        self.now = int(calendar.closes[place]) - SECOND
        self.show(self.last)
        self.pass_time(1.0)
        self.now = int(calendar.opens[place + 1])
        self.show(self.last)

    def rest(self) -> None:
        """Nothing to wait for: paper answers before a call returns."""

    # -- from outside ------------------------------------------------------------------------

    def truth(self) -> Truth:
        ledger = PaperLedger(self._ledger, read_only=True)
        rows, fills = ledger.orders(), ledger.fills()
        ledger.close()
        return Truth(
            tuple(map(_order, (row for row in rows if row["symbol"] == self.symbol))),
            tuple(map(_fill, (row for row in fills if row["symbol"] == self.symbol))),
        )

    # -- faults ------------------------------------------------------------------------------

    def refuse_next(self, reason: str) -> None:
        self._faults.refusals.append(reason)

    def lose_request(self, verb: str) -> None:
        self._faults.lost_requests[_VERBS[verb]] += 1

    def lose_answer(self, verb: str, *, stream_too: bool) -> None:
        self._faults.lost_answers[_VERBS[verb]] += 1
        if stream_too:
            self._faults.deafens.add(_VERBS[verb])

    def repeat_all(self) -> None:
        self._faults.repeats = True

    def hold(self) -> None:
        self._faults.held = []

    def let_through(self, *, backwards: bool = False) -> None:
        held, self._faults.held = self._faults.held or [], None
        for event in reversed(held) if backwards else held:
            self._faults.emit(event)

    def cut(self) -> None:
        self._faults.emit(Link(LinkState.LOST, "orders", ts_event=self.now))
        self._faults.is_cut = True

    def mend(self) -> None:
        self._faults.is_cut = False
        self._faults.emit(Link(LinkState.CONNECTED, "orders", ts_event=self.now))

    @property
    def _faults(self) -> _PaperPort:
        assert self.port is not None
        return self.port

    # -- another hand ------------------------------------------------------------------------

    def hand_places(self, side: Side, quantity: float, price: float | None = None) -> str:
        kind = OrderKind.MARKET if price is None else OrderKind.LIMIT
        return self._venue.other_hand.place(self.symbol, side, quantity, kind, price)[-1]

    def hand_closes(self, quantity: float | None = None) -> None:
        self._venue.other_hand.close(self.symbol, quantity)

    def hand_cancels(self, venue_order_id: str) -> None:
        self._venue.other_hand.cancel(venue_order_id)

    def hand_moves(self, venue_order_id: str, price: float) -> None:
        self._venue.other_hand.modify(venue_order_id, price=price)

    def hand_opens_elsewhere(self) -> None:
        hand = self._venue.other_hand
        hand.place(self.other_symbol, Side.BUY, 1.0)
        hand.show_price(self.other_symbol, 2400.0)


class _PaperPort:
    """The paper exchange with a wire before it that can be made faulty."""

    def __init__(self, lab: PaperLab, emit: Callable[[Event], None]) -> None:
        self._lab = lab
        self.emit = emit
        self.venue: PaperVenue | None = None
        self.refusals: list[str] = []
        self.lost_requests: Counter[Verb] = Counter()
        self.lost_answers: Counter[Verb] = Counter()
        self.deafens: set[Verb] = set()
        self.is_deaf = self.is_cut = self.repeats = False
        self.held: list[Event] | None = None
        self._silences: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.venue, name)

    def connect(self) -> None:
        assert self.venue is not None
        self.venue.connect(self._lab.now)

    # -- from the venue ----------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Pass on what the venue tells, or not."""
        if isinstance(event, Answer) and event.request_id in self._silences:
            self._pass(Answer(event.request_id, event.verb, Outcome.UNKNOWN, event.order_id))
        elif isinstance(event, HistoryBars | Link):
            self.emit(event)
        elif isinstance(event, Snapshot):
            self.is_deaf = False
            if self.is_cut:
                event = Snapshot(event.request_id, event.asked_at, error="no connection")
            self._pass(event)
        elif not self.is_deaf and not self.is_cut:
            self._pass(event)

    def _pass(self, event: Event) -> None:
        for _ in range(2 if self.repeats else 1):
            if self.held is not None:
                self.held.append(event)
            else:
                self.emit(event)

    # -- to the venue ------------------------------------------------------------------------

    def submit(self, request_id: int, order: VenueOrder) -> None:
        if self.refusals:
            why = self.refusals.pop(0)
            self._pass(Answer(request_id, Verb.SUBMIT, Outcome.REFUSED, order.order_id, "", why))
        elif self._gets_through(Verb.SUBMIT, request_id, order.order_id):
            self.venue.submit(request_id, order)  # type: ignore[union-attr]

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        if self._gets_through(Verb.MODIFY, request_id, change.order_id):
            self.venue.modify(request_id, change)  # type: ignore[union-attr]

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        if self._gets_through(Verb.CANCEL, request_id, order_id):
            self.venue.cancel(request_id, order_id, venue_order_id)  # type: ignore[union-attr]

    def _gets_through(self, verb: Verb, request_id: int, order_id: str) -> bool:
        if self.is_cut:
            self.emit(Answer(request_id, verb, Outcome.UNKNOWN, order_id))
            return False
        if self.lost_requests[verb]:
            self.lost_requests[verb] -= 1
            self._pass(Answer(request_id, verb, Outcome.UNKNOWN, order_id))
            return False
        if self.lost_answers[verb]:
            self.lost_answers[verb] -= 1
            self._silences.add(request_id)
            self.is_deaf = self.is_deaf or verb in self.deafens
            self.deafens.discard(verb)
        return True


class _Market:
    """Prints become minutes; before the first there were quiet ones."""

    def __init__(self, base: float, opens: int, calendar: Any) -> None:
        self.now = opens
        self._calendar = calendar
        starts = calendar.expected_starts(opens - 60 * MINUTE, opens - 1, MINUTE)
        self._bars: dict[int, Any] = {}
        for start in starts:
            self._bars[int(start)] = self._bar(int(start), base)

    def _bar(self, start: int, price: float) -> Any:
        bar = np.zeros(1, BAR)
        bar["start"] = start
        self._calendar.annotate(bar, MINUTE)
        for name in ("open", "high", "low", "close"):
            bar[name] = price
        return bar[0]

    def print(self, now: int, price: float, volume: float) -> None:
        self.now = now
        start = int(self._calendar.grid_starts(np.array([now], np.int64), MINUTE)[0])
        bar = self._bars.get(start)
        if bar is None:
            bar = self._bars[start] = self._bar(start, price)
        bar["high"], bar["low"] = max(bar["high"], price), min(bar["low"], price)
        bar["close"] = price
        bar["volume"] += volume

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        if symbol != PaperLab.instrument.symbol or timeframe_ns != MINUTE:
            return np.zeros(0, BAR)
        rows = [
            bar
            for key, bar in sorted(self._bars.items())
            if key >= start and bar["end"] <= min(end, self.now)
        ]
        return np.array(rows, BAR) if rows else np.zeros(0, BAR)


def _order(row: dict[str, Any]) -> TrueOrder:
    return TrueOrder(
        row["order_id"] or "",
        f"P{row['number']}",
        Side(row["side"]),
        row["quantity"],
        row["filled"],
        row["price"],
        row["status"] == "WORKING",
        row["status"] in ("HELD", "RECEIVED"),
        row["role"] == Role.STOP.name,
    )


def _fill(row: dict[str, Any]) -> TrueFill:
    return TrueFill(
        f"F{row['number']}", row["order_id"] or "", Side(row["side"]), row["quantity"], row["price"]
    )
