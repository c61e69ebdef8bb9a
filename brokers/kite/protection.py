"""`KiteProtection`: stops and targets kept at Kite as triggers (GTT), which outlive us and the day.

There is one stop and one target a contract, for all that entries with them have opened: a trigger
carries no tag, so that what it protects is known by the position it is about. Triggers are brought
in line after each fill, before each exit at market, and whenever prices are moved; whatever is not
known is read from the venue first. Nothing here waits on the thread that hears the stream.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from brokers.contracts import Contract
from brokers.errors import Disconnected, OrderRejected, OutcomeUnknown, RateLimited
from brokers.kite import wire
from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig
from brokers.kite.mapping import GUARD_TAG, SIDES, STATUSES, whole_units
from brokers.kite.trading_day import TradingDay
from brokers.kite.triggers import (
    ACTIVE,
    TRIGGERED,
    Cover,
    Firing,
    Pair,
    Step,
    chunks,
    cover_of,
    firing_of,
    limit_of,
    steps_between,
    trigger_terms,
)
from brokers.lanes import Lanes
from brokers.port import PositionPrices, VenueOrder
from core.errors import TolaError
from core.events import Event, PositionUpdate
from core.orders import OrderKind, Role, Side

logger = logging.getLogger(__name__)

_TRIES = 4
_WAIT_SECS = 0.2
"""Between the tries of what the venue did not answer, or has no room for."""
_SECOND_NS = 1_000_000_000
_LOOK_NS = 5 * _SECOND_NS
_NO_PRICES = Pair()
_REASONS = {Role.STOP: "stop", Role.TARGET: "target"}


@dataclass(slots=True)
class _Entry:
    """An entry with prices of its own. filled : as far as it was counted."""

    pair: Pair
    side: Side
    filled: int = 0


@dataclass(slots=True)
class _Leaving:
    """An order that leaves: no trigger shall stand for what it will fill.

    role : of the trigger that placed it; None: an exit of ours. since : market time at which it was
    met. tag : by which it is looked for, where its id is not known.
    """

    quantity: int
    role: Role | None = None
    filled: int = 0
    since: int = 0
    tag: str = ""
    is_at_market: bool = True

    @property
    def left(self) -> int:
        """What it may still fill."""
        return max(0, self.quantity - self.filled)


@dataclass(slots=True)
class _Held:
    """What is known of one contract.

    side : of the orders that leave. quantity : of the exchange's units that entries have opened.
    standing : triggers by id. past : what was placed once, to know an order of it by.
    leaving : orders that leave, by the venue's id (ours, before that is known).
    strangers : how far orders without a tag were filled, when they were last looked into.
    told : what was told of the position last: units, average price, prices.
    in_doubt : the venue's list of triggers is to be read first. is_due : not yet in line.
    at_work : held while the venue is asked and told; never by who hears the stream.
    """

    contract: Contract
    tick: float
    side: Side = Side.SELL
    pair: Pair = _NO_PRICES
    quantity: int = 0
    standing: dict[int, Cover] = field(default_factory=dict)
    past: list[Cover] = field(default_factory=list)
    entries: dict[str, _Entry] = field(default_factory=dict)
    leaving: dict[str, _Leaving] = field(default_factory=dict)
    strangers: dict[str, tuple[str, int]] = field(default_factory=dict)
    in_doubt: bool = False
    is_due: bool = False
    is_adopted: bool = False
    told: tuple[int, float, Pair] = (0, 0.0, _NO_PRICES)
    looked_at: float = 0.0
    at_work: threading.RLock = field(default_factory=threading.RLock)

    @property
    def amount(self) -> int:
        """What triggers shall stand for."""
        return max(0, self.quantity - sum(item.left for item in self.leaving.values()))


class KiteProtection:
    """The triggers of one account.

    Parameters
    ----------
    orders : where requests are done.
    last_price : returns the last price of a symbol's contract on the stream, None before there is
        one.
    emit : takes each event, from any thread. clock : the market's time, ns UTC.
    """

    def __init__(
        self,
        config: KiteConfig,
        day: TradingDay,
        client: KiteClient,
        orders: Lanes,
        last_price: Callable[[str], float | None],
        emit: Callable[[Event], None],
        clock: Callable[[], int],
    ) -> None:
        self._config = config
        self._day = day
        self._client = client
        self._orders = orders
        self._last_price = last_price
        self._emit = emit
        self._clock = clock
        self._lock = threading.RLock()
        """Held for a moment, to read and write what is known."""
        self._held: dict[str, _Held] = {}
        self._roles: dict[str, Role] = {}
        self._numbers = itertools.count(1)

    @property
    def is_used(self) -> bool:
        """Whether this account keeps its stops as triggers."""
        return self._config.protection == "gtt"

    # -- orders of ours ----------------------------------------------------------------------

    def entry_sent(self, order: VenueOrder) -> None:
        """Take the prices of an entry before it is sent.

        Raises
        ------
        ValueError : something with other prices is open, or about to be: there is one pair only.
        """
        if not self.is_used or not order.children:
            return
        pair = Pair(
            next((child.price for child in order.children if child.role is Role.STOP), None),
            next((child.price for child in order.children if child.role is Role.TARGET), None),
        )
        held = self._of(order.symbol)
        with self._lock:
            others = [item for item in held.entries.values() if (item.pair, item.side) != (
                pair, order.side)]  # fmt: skip
            is_open = held.quantity > 0 and (held.pair, held.side) != (pair, _other(order.side))
            if others or is_open:
                raise ValueError(
                    f"{order.symbol}: a stop kept as a trigger is one a contract, and another "
                    'entry works or is open: one at a time, or protection = "orders"'
                )
            held.entries[order.order_id] = _Entry(pair, order.side)

    def exit_sent(self, order: VenueOrder) -> None:
        """Let no trigger stand for what an exit at market will fill, before it is sent.

        Raises
        ------
        ValueError : the trigger has fired: its order leaves already.
        """
        if not self.is_used or order.kind is not OrderKind.MARKET or order.children:
            return
        held = self._of(order.symbol)
        units = whole_units(held.contract, order.quantity)
        with held.at_work:
            with self._lock:
                if not held.quantity or order.side is not held.side:
                    return
                held.leaving[order.order_id] = _Leaving(min(units, held.quantity))
            try:
                self._align(held)
            except TolaError as fault:  # it must leave, whatever stands
                logger.warning("triggers not in line before an exit error=%s", fault)
            with self._lock:
                unanswered = self._unanswered(held)
            for name in unanswered:
                self._look_for(held, name)
            with self._lock:
                free = held.quantity - sum(item.left for item in held.leaving.values())
                if free < 0 and any(item.role for item in held.leaving.values()):
                    del held.leaving[order.order_id]
                    raise ValueError("a trigger has fired: its order leaves the position already")

    def refused(self, order_id: str) -> None:
        """Forget an entry that will never be at the venue; protect what an exit will not leave."""
        with self._lock:
            for held in self._held.values():
                held.entries.pop(order_id, None)
        self._gone(order_id)

    def close_sent(self, symbol: str) -> None:
        """Take down all triggers of a contract before its position is closed whole."""
        if not self.is_used:
            return
        held = self._of(symbol)
        with held.at_work:
            with self._lock:
                held.quantity = 0
            self._align(held)

    def moved(self, prices: PositionPrices) -> None:
        """Bring the triggers of a position to other prices.

        Raises
        ------
        TolaError : the venue did not take them; the ones before stand.
        """
        held, pair = self._of(prices.symbol), Pair(prices.stop, prices.target)
        with held.at_work:
            self._know_entry(held, prices, pair)
            if not prices.quantity:
                return
            with self._lock:
                before, held.pair = held.pair, pair
            try:
                self._know_quantity(held, prices.quantity)
                self._bring_in_line(held, prices.symbol)
            except TolaError:
                with self._lock:
                    held.pair = before
                raise

    def _know_entry(self, held: _Held, prices: PositionPrices, pair: Pair) -> None:
        """Take the prices of an entry that may still fill, an earlier process's too."""
        names = (prices.entry_id, prices.parent_id)
        with self._lock:
            known = [held.entries[name] for name in names if name in held.entries]
            for entry in known:
                entry.pair = pair
        if known or not prices.parent_id:
            return
        order = self._client.get_order(prices.parent_id)
        with self._lock:
            if not _is_over(order) and prices.entry_id not in held.entries:
                side = SIDES[order.transaction_type]
                held.entries[prices.entry_id] = _Entry(pair, side, order.filled_quantity)

    def _know_quantity(self, held: _Held, quantity: float) -> None:
        """Take the broker's word for what is open, where an earlier process has opened it."""
        units = whole_units(held.contract, abs(quantity))
        if units <= held.quantity:
            return
        net = self._net(held)
        with self._lock:
            if net * quantity > 0.0 and not held.leaving:
                held.side = Side.SELL if quantity > 0.0 else Side.BUY
                held.quantity = max(held.quantity, min(units, abs(net)))

    # -- what the venue tells ----------------------------------------------------------------

    def heard(self, order: wire.Order, order_id: str) -> None:
        """Take in how an order stands, ours or not; waits for nothing.

        Parameters
        ----------
        order_id : ours, "" for an order that carries none.
        """
        held = self._known(order)
        if held is None:
            return
        with self._lock:
            is_news = self._count_entry(held, order, order_id) or self._count_exit(
                held, order, order_id
            )
            told = (order.status, order.filled_quantity)
            is_strange = self._is_strange(held, order, order_id)
            if is_strange and held.strangers.get(order.order_id) != told:
                held.strangers[order.order_id] = told
                held.in_doubt = is_news = True
            if is_news:
                self._set_due(held)

    def _count_entry(self, held: _Held, order: wire.Order, order_id: str) -> bool:
        entry = held.entries.get(order_id)
        if entry is None:
            return False
        more, entry.filled = order.filled_quantity - entry.filled, order.filled_quantity
        if more > 0:
            held.pair, held.side = entry.pair, _other(entry.side)
            held.quantity += more
        if _is_over(order):
            del held.entries[order_id]
        return more > 0

    def _count_exit(self, held: _Held, order: wire.Order, order_id: str) -> bool:
        name = next((key for key in (order.order_id, order_id) if key in held.leaving), None)
        if name is None and order.tag:
            name = next((key for key, item in held.leaving.items() if item.tag == order.tag), None)
            if name is not None:
                found = held.leaving.pop(name)
                held.leaving[order.order_id], name = found, order.order_id
                if found.role is not None:
                    self._roles[order.order_id] = found.role
        if name is None:
            return False
        item = held.leaving[name]
        more, item.filled = order.filled_quantity - item.filled, order.filled_quantity
        held.quantity = max(0, held.quantity - max(0, more))
        if _is_over(order):
            del held.leaving[name]
            return True
        return more > 0

    def _is_strange(self, held: _Held, order: wire.Order, order_id: str) -> bool:
        """Whether an order may be one that a trigger has placed, and is not known as such."""
        return bool(
            held.quantity
            and not order_id
            and order.order_id not in self._roles
            and SIDES.get(order.transaction_type) is held.side
        )

    def may_be_ours(self, order: wire.Order, order_id: str) -> bool:
        """Whether an order may be one that a trigger has placed, which `explain` would tell."""
        held = self._known(order)
        return held is not None and self._is_strange(held, order, order_id)

    def _known(self, order: wire.Order) -> _Held | None:
        """Return what is known of an order's contract, None where nothing is held by triggers."""
        contract = self._day.named(order.exchange, order.tradingsymbol) if self.is_used else None
        held = None if contract is None else self._held.get(contract.symbol)
        return held if held is not None and held.contract == contract else None

    def explain(self, order: wire.Order, order_id: str) -> None:
        """See to it that an order is known as a trigger's before it is told of; waits."""
        held = self._known(order)
        if held is None or not self._is_strange(held, order, order_id):
            return
        with held.at_work:
            self._read(held)
            with self._lock:
                if order.order_id not in self._roles:
                    self._know_by_terms(held, order)
                self._count_exit(held, order, "")

    def _know_by_terms(self, held: _Held, order: wire.Order) -> None:
        """Know an order by what a trigger would have placed: its own row may be gone."""
        for cover in held.past:
            if cover.quantity != order.quantity or cover.side is not SIDES[order.transaction_type]:
                continue
            for role, price in cover.legs:
                limit = limit_of(price, cover.side, self._config, held.tick)
                if abs(limit - order.price) <= 0.5 * held.tick:
                    self._fired(held, Firing(order.order_id, role, cover.quantity))
                    return

    def reason(self, venue_order_id: str) -> str:
        """Return `stop` or `target` for an order that a trigger has placed, "" for another."""
        role = self._roles.get(venue_order_id)
        return "" if role is None else _REASONS[role]

    # -- positions ---------------------------------------------------------------------------

    def learn(self) -> None:
        """Read which triggers stand, where this process does not know it; waits."""
        if not self.is_used:
            return
        for symbol in list(self._day.traded):
            held = self._of(symbol)
            with held.at_work:
                if not held.is_adopted:
                    self._adopt(held)

    def _adopt(self, held: _Held) -> None:
        """Take over the triggers that an earlier process has left."""
        self._read(held)
        net = self._net(held)
        at_work = {
            order.order_id: order for order in self._client.get_orders()
            if order.order_id in self._roles and not _is_over(order)
        }  # fmt: skip
        with self._lock:
            held.is_adopted = True
            for order in at_work.values():
                held.leaving[order.order_id] = _Leaving(
                    order.quantity, self._roles[order.order_id], order.filled_quantity,
                    self._clock(), is_at_market=False,
                )  # fmt: skip
            ours = [item for item in held.standing.values() if int(item.side) * net < 0]
            if ours:
                held.side, held.pair = ours[0].side, ours[0].pair
                held.quantity = min(abs(net), sum(item.quantity for item in ours))
        self._align(held)

    def prices(self, symbol: str) -> Pair:
        """Return where a position's prices stand; those of orders that leave it count as standing.

        Brought in line first, as far as the venue lets it; waits.
        """
        held = self._held.get(symbol)
        if not self.is_used or held is None:
            return _NO_PRICES
        with held.at_work:
            held.in_doubt = True
            try:
                self._align(held)
            except TolaError as fault:
                logger.warning("triggers not in line symbol=%s error=%s", symbol, fault)
            return self._told(held)

    def _told(self, held: _Held) -> Pair:
        with self._lock:
            covered = sum(item.quantity for item in held.standing.values())
            is_leaving = any(item.role is not None for item in held.leaving.values())
            if held.quantity and (covered >= held.amount or is_leaving):
                return held.pair
            return _NO_PRICES

    def tend(self, now: float) -> None:
        """Go on with what is not in line; send to market what a trigger placed and nobody took.

        Parameters
        ----------
        now : seconds of a steady clock.
        """
        if not self.is_used:
            return
        wait_ns = round(self._config.gtt_wait_secs * _SECOND_NS)
        market_time = self._clock()
        with self._lock:
            for held in self._held.values():
                waiting = [
                    (name, item) for name, item in held.leaving.items()
                    if item.role is not None and not item.is_at_market
                    and market_time - item.since >= wait_ns
                ]  # fmt: skip
                for name, item in waiting:
                    item.is_at_market = True
                    self._put(held, partial(self._to_market, name))
                for name in self._unanswered(held):
                    self._put(held, partial(self._look_for, held, name))
                is_held = held.quantity or held.standing
                if (is_held or held.is_due) and now - held.looked_at >= self._config.gtt_look_secs:
                    held.in_doubt = True
                    self._set_due(held)

    def _to_market(self, venue_order_id: str) -> None:
        logger.warning("a trigger's order did not fill: to market order=%s", venue_order_id)
        terms = {
            "variety": "regular", "order_type": "MARKET", "validity": "DAY",
            "market_protection": self._config.market_protection,
        }  # fmt: skip
        try:
            self._client.modify_order(venue_order_id, terms)
        except TolaError as fault:
            logger.warning("not sent to market order=%s error=%s", venue_order_id, fault)

    def _unanswered(self, held: _Held) -> list[str]:
        """Return the tags of orders whose sending was not answered, and has had its time."""
        now = self._clock()
        found = [
            (name, item) for name, item in held.leaving.items()
            if name == item.tag and now - item.since >= _LOOK_NS
        ]  # fmt: skip
        for _, item in found:
            item.since = now
        return [name for name, _ in found]

    def _look_for(self, held: _Held, tag: str) -> None:
        """Look for an order whose sending was not answered; without it, protect again."""
        try:
            orders = self._client.get_orders()
        except TolaError as fault:
            logger.warning("the order book cannot be read error=%s", fault)
            return
        found = [order for order in orders if tag in (order.tag, *order.tags)]
        for order in found:
            self.heard(order, tag)
        if not found:
            self._gone(tag)

    # -- bringing in line --------------------------------------------------------------------

    def _set_due(self, held: _Held) -> None:
        held.is_due, held.looked_at = True, time.monotonic()
        symbol = held.contract.symbol

        def do() -> None:
            try:
                self._bring_in_line(held, symbol)
            except TolaError as fault:
                logger.warning("a position is not protected symbol=%s error=%s", symbol, fault)

        self._put(held, do)

    def _put(self, held: _Held, do: Callable[[], None]) -> None:
        self._orders.put(f"triggers {held.contract.symbol}", do)

    def _bring_in_line(self, held: _Held, symbol: str) -> None:
        """Align, and tell of the position whatever comes of it."""
        with held.at_work:
            try:
                self._align(held)
            finally:
                self._tell(held, symbol)

    def _align(self, held: _Held) -> None:
        """Ask for what triggers lack.

        Raises
        ------
        TolaError : they are not in line; `is_due` is left set.
        """
        with self._lock:
            held.is_due = True
        for tries_left in reversed(range(_TRIES)):
            try:
                if held.in_doubt:
                    self._read(held)
                    self._cap(held)
                while steps := self._steps(held):
                    self._do(held, steps[0])
                with self._lock:
                    held.is_due = False
                return
            except OutcomeUnknown as fault:
                held.in_doubt = True
                self._again(tries_left, fault)
            except (Disconnected, RateLimited) as fault:
                self._again(tries_left, fault)
            except OrderRejected as fault:  # it may have fired, or be gone
                held.in_doubt = True
                if not tries_left:
                    raise fault

    def _again(self, tries_left: int, fault: TolaError) -> None:
        if not tries_left:
            raise fault
        time.sleep(_WAIT_SECS)

    def _steps(self, held: _Held) -> list[Step]:
        with self._lock:
            amount, pair = held.amount, held.pair
            freeze = self._day.freeze_quantity(held.contract)
            most = whole_units(held.contract, freeze) if freeze < float("inf") else max(amount, 1)
            wanted = [Cover(held.side, size, pair) for size in chunks(amount, most)]
            if pair == _NO_PRICES:
                wanted = []
            return steps_between(held.standing, wanted)

    def _do(self, held: _Held, step: Step) -> None:
        """Place, change or delete one trigger; leave at market where a price was reached."""
        if step.cover is None:
            assert step.trigger_id is not None
            self._client.delete_gtt(step.trigger_id)
            with self._lock:
                held.standing.pop(step.trigger_id, None)
            return
        last = self._last(held)
        role = step.cover.pair.reached(step.cover.side, last)
        if role is not None:
            self._leave(held, role)
            return
        terms = trigger_terms(step.cover, held.contract, last, self._config, held.tick)
        with self._lock:
            held.past = [*held.past, step.cover][-8:]
        if step.trigger_id is None:
            trigger_id = self._client.place_gtt(terms)
        else:
            trigger_id = self._client.modify_gtt(step.trigger_id, terms)
        with self._lock:
            held.standing[trigger_id] = step.cover

    def _leave(self, held: _Held, role: Role) -> None:
        """Leave what is uncovered at market: its stop or target was reached before it stood."""
        with self._lock:
            amount, side = held.amount, held.side
            tag = f"{GUARD_TAG}{self._clock() // 1_000_000:x}"[:18] + f"{next(self._numbers):x}"
            leaving = _Leaving(amount, role, since=self._clock(), tag=tag[:20])
            held.leaving[tag] = leaving
        logger.warning(
            "%s reached before it stood contract=%s", role.name.lower(), held.contract.describe()
        )
        try:
            for trigger_id in list(held.standing):  # what leaves now must not leave twice
                self._do(held, Step(trigger_id, None))
            venue_order_id = self._client.place_order(
                {
                    "variety": "regular",
                    "exchange": held.contract.exchange,
                    "tradingsymbol": held.contract.venue_symbol,
                    "transaction_type": "BUY" if side is Side.BUY else "SELL",
                    "quantity": amount,
                    "product": self._config.product,
                    "order_type": "MARKET",
                    "validity": "DAY",
                    "market_protection": self._config.market_protection,
                    "tag": leaving.tag,
                }
            )
        except OutcomeUnknown:
            return  # looked for by its tag
        except TolaError:
            with self._lock:
                held.leaving.pop(tag, None)
            raise
        with self._lock:
            if tag in held.leaving:  # else it was heard of already
                held.leaving[venue_order_id] = held.leaving.pop(tag)
            self._roles[venue_order_id] = role

    def _last(self, held: _Held) -> float:
        """Return a contract's last price, from the stream where it has told one."""
        told = self._last_price(held.contract.symbol)
        if told is not None:
            return told
        name = f"{held.contract.exchange}:{held.contract.venue_symbol}"
        quote = self._client.get_quote(name).get(name)
        if quote is None:
            raise TolaError(f"{name}: no price, so that no trigger can be placed")
        return quote.last_price

    # -- reading -----------------------------------------------------------------------------

    def _read(self, held: _Held) -> None:
        """Read which triggers stand and which have fired; what was placed twice is taken down."""
        rows = [
            gtt for gtt in self._client.get_gtts()
            if (gtt.exchange, gtt.tradingsymbol)
            == (held.contract.exchange, held.contract.venue_symbol)
        ]  # fmt: skip
        with self._lock:
            before = held.standing
            held.standing, held.in_doubt = {}, False
            for gtt in rows:
                cover = before.get(gtt.id) or cover_of(gtt, self._config, held.tick)
                if cover is None:
                    continue
                if gtt.status == ACTIVE:
                    stands = cover_of(gtt, self._config, held.tick)
                    if gtt.id in before and stands is None:
                        stands = _moved(gtt, cover)
                    if stands is not None:
                        held.standing[gtt.id] = stands
                        self._follow_hand(held, before.get(gtt.id), stands)
                elif gtt.status == TRIGGERED:
                    firing = firing_of(gtt, cover)
                    if firing is None or not firing.venue_order_id:
                        continue
                    if gtt.id in before:
                        self._fired(held, firing)
                    else:
                        self._roles.setdefault(firing.venue_order_id, firing.role)

    def _follow_hand(self, held: _Held, before: Cover | None, now: Cover) -> None:
        """Leave prices where another hand has moved them; the broker judges such a move."""
        if before is not None and before.pair != now.pair and before.pair == held.pair:
            held.pair = now.pair

    def _fired(self, held: _Held, firing: Firing) -> None:
        if firing.venue_order_id not in self._roles:
            self._roles[firing.venue_order_id] = firing.role
            held.leaving[firing.venue_order_id] = _Leaving(
                firing.quantity, firing.role, since=self._clock(), is_at_market=False
            )

    def _cap(self, held: _Held) -> None:
        """Know of what other hands closed: nothing is covered that is not there."""
        net = self._net(held)
        with self._lock:
            if held.entries or held.leaving:
                return  # fills are on their way; the position book may lag behind them
            is_held = net * int(held.side) < 0
            held.quantity = min(held.quantity, abs(net)) if is_held else 0

    def _net(self, held: _Held) -> int:
        """Return the signed position in a contract, of the product that is traded."""
        self._books = self._client.get_positions()
        return sum(
            row.quantity
            for row in self._books.net
            if (row.exchange, row.tradingsymbol, row.product)
            == (held.contract.exchange, held.contract.venue_symbol, self._config.product)
        )

    def _tell(self, held: _Held, symbol: str) -> None:
        """Tell where the position and its prices stand now."""
        try:
            net = self._net(held)
        except TolaError as fault:
            logger.warning("positions cannot be read error=%s", fault)
            return
        average = next(
            (
                row.average_price
                for row in self._books.net
                if row.quantity and row.tradingsymbol == held.contract.venue_symbol
            ),
            0.0,
        )
        stands = self._told(held)
        told = (net, average, stands)
        if told == held.told:
            return
        held.told = told
        self._emit(
            PositionUpdate(
                symbol, held.contract.from_venue(net), average, "", stands.stop, stands.target,
                ts_event=self._clock(),
            )
        )  # fmt: skip

    def _of(self, symbol: str) -> _Held:
        """Return what is known of a symbol's contract of today."""
        contract = self._day.contract(symbol)
        with self._lock:
            held = self._held.get(symbol)
            if held is None or held.contract.venue_symbol != contract.venue_symbol:
                held = self._held[symbol] = _Held(contract, self._day.tick(contract))
            return held

    def _gone(self, name: str) -> None:
        with self._lock:
            for held in self._held.values():
                if held.leaving.pop(name, None) is not None:
                    self._set_due(held)


def _is_over(order: wire.Order) -> bool:
    status = STATUSES.get(order.status)
    return status is not None and status.is_end


def _other(side: Side) -> Side:
    return Side(-int(side))


def _moved(gtt: wire.Gtt, before: Cover) -> Cover:
    """Return what a trigger of ours covers that another hand has changed."""
    values = gtt.trigger_values
    legs = dict(zip((role for role, _ in before.legs), values, strict=False))
    return Cover(before.side, before.quantity, Pair(legs.get(Role.STOP), legs.get(Role.TARGET)))
