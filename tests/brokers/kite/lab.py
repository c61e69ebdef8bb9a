"""A Kite account at the sandbox as a lab: our genuine store and SDK, over loopback sockets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from brokers.kite.client import WINDOWS
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.mapping import SIDES
from brokers.kite.store import KiteStore
from brokers.retries import RetryPolicy
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.events import (
    Answer,
    Clock,
    Event,
    Execution,
    HistoryBars,
    Link,
    OrderUpdate,
    Snapshot,
    Ticks,
)
from core.instruments import get_instrument
from core.orders import OrderKind, Side
from core.ticks import TICK, TRADE, Tape
from sandbox.account import AccountTerms
from sandbox.box import Sandbox
from sandbox.course import BarBegins, BarsEnd, Price, replayed
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS as VENUE_WINDOWS
from tests.conformance.lab import MINUTE, SECOND, Ability, Lab, TrueFill, TrueOrder, Truth

USER = "XX0000"
PLENTY = 100_000
_ENDPOINTS = {"submit": "orders.place", "modify": "orders.modify", "cancel": "orders.cancel"}
_REST_SECS = 60.0


class KiteLab(Lab):
    """NIFTY futures on a Wednesday morning, without costs; quantities in units of 25.

    A request gets lost, or its answer does, by a gateway that fails before the work or after it.
    """

    instrument = get_instrument("NIFTY-FUT").without_costs().without_margin()
    calendar = "NSE"
    base = 25_000.0
    opens = int(np.datetime64("2024-09-04T04:30", "ns").astype(np.int64))
    """10:00 in Mumbai."""
    cash = 1_000_000.0
    currency = "INR"
    other_symbol = "NFO:BANKNIFTY24SEPFUT"
    settings: ClassVar[dict[str, Any]] = {}
    lacks: ClassVar = {
        Ability.CUTS: "one stream brings prices and orders alike; it breaks with both",
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._calendar = get_calendar(self.calendar)
        self._minutes: dict[int, Any] = {}
        start = int(np.datetime64("2024-09-04T03:45", "ns").astype(np.int64))
        for at in range(start, self.opens, MINUTE):
            self._minutes[at] = self._minute(at, self.base)
        self._forming: int | None = None
        tape = Tape(np.zeros(0, TICK), "trades")
        other = get_instrument("BANKNIFTY-FUT").without_costs().without_margin()
        prices = [
            replayed(Series(item.symbol, MINUTE, self._bars()), tape, item)
            for item in (self.instrument, other)
        ]
        self.box = Sandbox(
            "kite", prices, start=self.opens, accounts={USER: AccountTerms(self.cash)},
            volume_share=1.0, settings=KiteSettings(windows=dict.fromkeys(VENUE_WINDOWS, ())),
        )  # fmt: skip
        self.box.course.history = self._history  # what was printed is history later
        self.box.start()
        self._begin_day()
        self.contract = f"NFO:{self._venue_symbol()}"
        self.token = self.box.call(self.box.face.login, USER)
        self.wire: _Wire | None = None
        self.store: KiteStore | None = None

    def _begin_day(self) -> None:
        """Let the last minute before the first be traded: the market is open when we come."""
        start = self.opens - MINUTE
        bar = self._minutes[start]
        self._play(
            [
                BarBegins(start, self.symbol, bar),
                Price(start, self.symbol, self.base, 1, 0.0, TRADE),
                BarsEnd(self.opens, ((self.symbol, bar),)),
            ]
        )

    def _venue_symbol(self) -> str:
        listed = self.box.call(self.box.face.contracts.of_symbol, self.symbol)
        return next(item.row.tradingsymbol for item in listed if not item.is_index)

    # -- our side ----------------------------------------------------------------------------

    def open_port(self, emit: Callable[[Event], None]) -> Any:
        self.wire = _Wire(emit)
        self.store = KiteStore(
            KiteConfig(api_root=self.box.url, stream_root=self.box.stream_url, **self.settings),
            lambda: KiteKeys("sandboxkey", self.token, "sandboxsecret"),
            self.wire.hear,
            [self.symbol],
            policy=RetryPolicy(reconnect_interval=0.02, retry_delay=0.02),
            clock=lambda: self.now,
            windows=[replace(window, count=100_000) for window in WINDOWS],
        )
        return self.store

    def drop_port(self) -> None:
        assert self.store is not None and self.wire is not None
        self.wire.is_dead = True
        self.store.disconnect()
        self.store = self.wire = None

    def close(self) -> None:
        if self.store is not None:
            self.store.disconnect()
        self.box.stop()

    # -- the market --------------------------------------------------------------------------

    def show(self, price: float, volume: float | None = None) -> None:
        self.now += SECOND
        self.last = price
        amount = PLENTY if volume is None else max(1, round(volume))
        start = self.now - self.now % MINUTE
        steps: list[Any] = self._finished(start)
        if start not in self._minutes:
            self._minutes[start] = self._minute(start, price)
        if self._forming != start:
            self._forming = start
            steps.append(BarBegins(start, self.symbol, self._minutes[start]))
        self._print(self._minutes[start], price, amount)
        steps.append(Price(self.now, self.symbol, price, amount, 0.0, TRADE))
        self._play(steps)

    def pass_time(self, secs: float) -> None:
        self.now += round(secs * SECOND)
        self._play(self._finished(self.now - self.now % MINUTE))
        self._set_clock()

    def _set_clock(self) -> None:
        """Let the venue's clock and ours go on; a session's own source of time tells it so."""
        exchange = self.box.exchange
        self.box.call(lambda: setattr(exchange, "now", max(exchange.now, self.now)))
        if self.wire is not None:
            self.wire.hear(Clock(ts_event=self.now, ts_init=self.now))

    def _finished(self, now: int) -> list[Any]:
        """Return the end of the bar that is forming, where it is over."""
        if self._forming is None or self._forming + MINUTE > now:
            return []
        bar, self._forming = self._minutes[self._forming], None
        return [BarsEnd(int(bar["end"]), ((self.symbol, bar),))]

    def _play(self, steps: list[Any]) -> None:
        self.box.tell(*steps)

    def end_session(self) -> None:
        calendar = self._calendar
        place = int(np.searchsorted(calendar.closes, self.now, side="right"))
        self.now = int(calendar.closes[place]) - 2 * SECOND
        self.show(self.last)
        self.pass_time(1.0)
        self.now = int(calendar.opens[place + 1])
        exchange = self.box.exchange
        self.box.call(lambda: setattr(exchange, "now", self.now))
        self.token = self.box.call(self.box.face.login, USER)  # somebody logs in each morning
        if self.store is not None:
            self.store.login_renewed()
        self.show(self.last)

    def _minute(self, start: int, price: float) -> Any:
        bar = np.zeros(1, BAR)
        bar["start"] = start
        self._calendar.annotate(bar, MINUTE)
        for name in ("open", "high", "low", "close"):
            bar[name] = price
        bar["volume"] = 1
        return bar[0]

    @staticmethod
    def _print(bar: Any, price: float, volume: int) -> None:
        bar["high"], bar["low"] = max(bar["high"], price), min(bar["low"], price)
        bar["close"] = price
        bar["volume"] += volume

    def _bars(self) -> Any:
        return np.array([bar for _, bar in sorted(self._minutes.items())], BAR)

    def _history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        bars = self._bars()
        inside = (bars["start"] >= start) & (bars["start"] <= end) & (bars["end"] <= self.now)
        return bars[inside]

    def rest(self) -> None:
        store, wire = self.store, self.wire
        if store is None or wire is None:
            return
        until = time.monotonic() + _REST_SECS
        while True:
            heard = wire.heard
            self._wait_quiet(store, until)
            self.box.run(self.box.face.delivered())
            if store.is_quiet and wire.heard == heard:
                return
            assert time.monotonic() < until, "the wire did not come to rest"

    @staticmethod
    def _wait_quiet(store: KiteStore, until: float) -> None:
        while not store.is_quiet:
            assert time.monotonic() < until, "the store did not come to rest"
            time.sleep(0.0005)

    # -- from outside ------------------------------------------------------------------------

    def truth(self) -> Truth:
        orders = self.box.call(self.box.ledger.rows, "orders")
        fills = self.box.call(self.box.ledger.rows, "fills")
        tags = {row["order_id"]: row["tag"] for row in orders}
        mine = self.contract
        return Truth(
            tuple(_order(row) for row in orders if row["contract"] == mine),
            tuple(_fill(row, tags) for row in fills if row["contract"] == mine),
        )

    # -- faults ------------------------------------------------------------------------------

    def refuse_next(self, reason: str) -> None:
        self.box.add_fault(
            "status", on="orders.place", count=1, status=400, error="OrderException", text=reason
        )

    def lose_request(self, verb: str) -> None:
        self.box.add_fault("status", on=_ENDPOINTS[verb], count=1, status=503, error="html")

    def lose_answer(self, verb: str, *, stream_too: bool) -> None:
        self.box.add_fault(
            "status", on=_ENDPOINTS[verb], count=1, status=502, error="html", handled=True
        )
        if stream_too:
            self._wire.deafens = verb

    def repeat_all(self) -> None:
        self.box.add_fault("duplicate", on="order")
        self._wire.repeats = True

    def hold(self) -> None:
        self._wire.hold()

    def let_through(self, *, backwards: bool = False) -> None:
        self._wire.let_through(backwards=backwards)

    @property
    def _wire(self) -> _Wire:
        assert self.wire is not None
        return self.wire

    # -- another hand ------------------------------------------------------------------------

    def hand_places(self, side: Side, quantity: float, price: float | None = None) -> str:
        kind = OrderKind.MARKET if price is None else OrderKind.LIMIT
        product = "NRML"
        made = self.box.place(self.contract, side, quantity, kind, price, product=product)
        return str(made.number)

    def hand_closes(self, quantity: float | None = None) -> None:
        from core.errors import BrokerError

        net = self.truth().net
        if not net:
            raise BrokerError("nothing to close")
        side = Side.SELL if net > 0 else Side.BUY
        self.hand_places(side, abs(net) if quantity is None else min(quantity, abs(net)))

    def hand_cancels(self, venue_order_id: str) -> None:
        self.box.call(self.box.hand.cancel, USER, int(venue_order_id))

    def hand_moves(self, venue_order_id: str, price: float) -> None:
        self.box.call(self.box.hand.modify, USER, int(venue_order_id), price)

    def hand_opens_elsewhere(self) -> None:
        bar = self._minute(self.now - self.now % MINUTE, 50_000.0)
        self._play([BarBegins(int(bar["start"]), "BANKNIFTY-FUT", bar)])
        lot = get_instrument("BANKNIFTY-FUT").facts(int(self.now // (86_400 * SECOND))).lot
        self.box.place(self.other_symbol, Side.BUY, lot, product="NRML")
        self._play([Price(self.now, "BANKNIFTY-FUT", 50_000.0, 1000, 0.0, TRADE)])


class TriggerLab(KiteLab):
    """The same account, its stops and targets kept as triggers."""

    lacks: ClassVar = KiteLab.lacks | {
        Ability.STOP_BESIDE_TARGET: "a trigger that fires ends the other; its order leaves all",
    }
    settings: ClassVar = {"protection": "gtt", "gtt_wait_secs": 0.3, "gtt_look_secs": 0.05}

    def show(self, price: float, volume: float | None = None) -> None:
        """Let a trade be printed, and another where it sets off a trigger: its order needs one."""
        before = self._fired()
        super().show(price, volume)
        if self._fired() != before:
            self.rest()
            super().show(price, volume)

    def _fired(self) -> int:
        return sum(gtt.status == "triggered" for gtt in self.box.call(self._triggers.all, USER))

    def truth(self) -> Truth:
        """Return the books with each price of a trigger as an order without a tag."""
        books = super().truth()
        legs = [
            TrueOrder(
                "", f"gtt:{gtt.id}:{place}", SIDES[order["transaction_type"]],
                float(order["quantity"]), 0.0, price, True, False, _is_stop(gtt, place),
            )
            for gtt in self.box.call(self._triggers.all, USER)
            if gtt.status == "active" and f"{gtt.exchange}:{gtt.tradingsymbol}" == self.contract
            for place, (price, order) in enumerate(zip(gtt.trigger_values, gtt.orders, strict=True))
        ]  # fmt: skip
        return Truth((*books.orders, *legs), books.fills)

    @property
    def _triggers(self) -> Any:
        return self.box.face.triggers

    def lose_request(self, verb: str) -> None:
        on = "gtt.modify" if verb == "modify" else _ENDPOINTS[verb]
        self.box.add_fault("status", on=on, count=1, status=503, error="html")

    def lose_answer(self, verb: str, *, stream_too: bool) -> None:
        if verb != "modify":
            super().lose_answer(verb, stream_too=stream_too)
            return
        self.box.add_fault(
            "status", on="gtt.modify", count=1, status=502, error="html", handled=True
        )

    def hand_cancels(self, venue_order_id: str) -> None:
        if not venue_order_id.startswith("gtt:"):
            super().hand_cancels(venue_order_id)
            return
        _, number, _ = venue_order_id.split(":")
        self.box.call(self._triggers.delete, USER, int(number))
        self._wait_for_a_look()

    def hand_moves(self, venue_order_id: str, price: float) -> None:
        if not venue_order_id.startswith("gtt:"):
            super().hand_moves(venue_order_id, price)
            return
        _, number, place = venue_order_id.split(":")
        gtt = self.box.call(self._triggers.get, USER, int(number))
        values = list(gtt.trigger_values)
        values[int(place)] = price
        rows = [{key: row[key] for key in row if key != "result"} for row in gtt.orders]
        form = {
            "type": gtt.type,
            "condition": json.dumps(
                {
                    "exchange": gtt.exchange, "tradingsymbol": gtt.tradingsymbol,
                    "trigger_values": values, "last_price": self.last,
                }
            ),
            "orders": json.dumps(rows),
        }  # fmt: skip
        self.box.call(self._triggers.change, USER, gtt.id, form)
        self._wait_for_a_look()

    def _wait_for_a_look(self) -> None:
        """Let our side look at the triggers: nothing tells of what a hand did to one."""
        time.sleep(0.5)
        self.rest()


def _is_stop(gtt: Any, place: int) -> bool:
    side = SIDES[gtt.orders[place]["transaction_type"]]
    if gtt.type == "two-leg":
        return (place == 0) == (side is Side.SELL)
    return bool((gtt.trigger_values[0] - gtt.last_price) * int(side) > 0)


class _Wire:
    """What stands between the store and our side, where it can be held back, repeated or lost."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._lock = threading.RLock()
        self._held: list[Event] | None = None
        self.heard = 0
        self.deafens = ""
        self.is_dead = self.is_deaf = self.repeats = False

    def hear(self, event: Event) -> None:
        """Pass on what the store tells, or not."""
        with self._lock:
            self.heard += 1
            if self.is_dead:
                return
            if isinstance(event, HistoryBars | Link | Ticks | Clock):
                self._emit(event)
                return
            if isinstance(event, Answer) and event.verb.name.lower() == self.deafens:
                self.deafens, self.is_deaf = "", True
            if isinstance(event, Snapshot):
                self.is_deaf = False
            if self.is_deaf and isinstance(event, OrderUpdate | Execution):
                return
            for _ in range(2 if self.repeats else 1):
                if self._held is not None:
                    self._held.append(event)
                else:
                    self._emit(event)

    def hold(self) -> None:
        with self._lock:
            self._held = []

    def let_through(self, *, backwards: bool) -> None:
        with self._lock:
            held, self._held = self._held or [], None
            for event in reversed(held) if backwards else held:
                self._emit(event)


def _order(row: dict[str, Any]) -> TrueOrder:
    kind = row["kind"]
    return TrueOrder(
        row["tag"],
        row["order_id"],
        Side[row["side"]],
        row["quantity"],
        row["filled"],
        row["price"],
        row["status"] in ("WORKING", "RECEIVED"),
        False,
        kind in ("STOP", "STOP_LIMIT") and not row["tag"].startswith("entry"),
    )


def _fill(row: dict[str, Any], tags: dict[str, str]) -> TrueFill:
    return TrueFill(
        str(row["fill_id"]),
        tags.get(row["order_id"], ""),
        Side[row["side"]],
        row["quantity"],
        row["price"],
    )
