"""`KiteProtection`: stops and targets kept at Kite as triggers (GTT), which outlive us and the day.

There is one stop and one target a contract, for all that entries with them have opened: a trigger
carries no tag, so that what it protects is known by the position it is about. Triggers are brought
in line after each fill, before each exit at market, and whenever prices are moved; whatever is not
known is read from the venue first. What hears the stream never waits here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from brokers.kite import wire
from brokers.kite.config import KiteConfig
from brokers.kite.holding import Holding
from brokers.kite.mapping import whole_units
from brokers.kite.trading_day import TradingDay
from brokers.kite.trigger_desk import TriggerDesk
from brokers.kite.triggers import NO_PRICES, Pair
from brokers.lanes import Lanes
from brokers.port import PositionPrices, VenueOrder
from core.errors import TolaError
from core.events import Event, PositionUpdate
from core.orders import OrderKind, Role

logger = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_ANSWER_NS = 5 * _SECOND_NS
"""An order whose sending was not answered is looked for after this."""
_REASONS = {Role.STOP: "stop", Role.TARGET: "target"}


class KiteProtection:
    """The triggers of one account.

    Parameters
    ----------
    orders : where requests are done.
    emit : takes each event, from any thread. clock : the market's time, ns UTC.
    """

    def __init__(
        self,
        config: KiteConfig,
        day: TradingDay,
        desk: TriggerDesk,
        orders: Lanes,
        emit: Callable[[Event], None],
        clock: Callable[[], int],
    ) -> None:
        self._config = config
        self._day = day
        self._desk = desk
        self._orders = orders
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._holdings: dict[str, Holding] = {}

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
        prices = {child.role: child.price for child in order.children}
        pair = Pair(prices.get(Role.STOP), prices.get(Role.TARGET))
        if not self._of(order.symbol).expect_entry(order.order_id, pair, order.side):
            raise ValueError(
                f"{order.symbol}: a stop kept as a trigger is one a contract, and another "
                'entry works or is open: one at a time, or protection = "orders"'
            )

    def exit_sent(self, order: VenueOrder) -> None:
        """Let no trigger stand for what an exit at market will fill, before it is sent.

        Raises
        ------
        ValueError : the trigger has fired: its order leaves already.
        """
        if not self.is_used or order.kind is not OrderKind.MARKET or order.children:
            return
        holding = self._of(order.symbol)
        units = whole_units(holding.contract, order.quantity)
        with holding.at_work:
            if not holding.expect_exit(order.order_id, order.side, units, self._clock()):
                return
            try:
                self._desk.align(holding)
            except TolaError as fault:  # it must leave, whatever stands
                logger.warning("triggers not in line before an exit error=%s", fault)
            self._look_for_unanswered(holding)
            if holding.leaves_too_much(order.order_id):
                holding.forget(order.order_id)
                raise ValueError("a trigger has fired: its order leaves the position already")

    def refused(self, order_id: str) -> None:
        """Forget an entry that will never be at the venue; protect what an exit will not leave."""
        for holding in list(self._holdings.values()):
            if holding.forget(order_id):
                self._set_due(holding)

    def close_sent(self, symbol: str) -> None:
        """Take down all triggers of a contract before its position is closed whole."""
        if not self.is_used:
            return
        holding = self._of(symbol)
        with holding.at_work:
            holding.close()
            self._desk.align(holding)

    def moved(self, prices: PositionPrices) -> None:
        """Bring the triggers of a position to other prices.

        Raises
        ------
        TolaError : the venue did not take them; the ones before stand.
        """
        holding, pair = self._of(prices.symbol), Pair(prices.stop, prices.target)
        with holding.at_work:
            is_known = holding.move_entry(prices.entry_id, pair)
            if prices.parent_id and not is_known:
                order = self._desk.order(prices.parent_id)
                holding.follow_entry(prices.entry_id, pair, order)
            if not prices.quantity:
                return
            before, holding.pair = holding.pair, pair
            try:
                units = whole_units(holding.contract, abs(prices.quantity))
                if units > holding.quantity:
                    signed = units if prices.quantity > 0.0 else -units
                    holding.trust(signed, self._desk.position(holding)[0])
                self._bring_in_line(holding)
            except TolaError:
                holding.pair = before
                raise

    # -- what the venue tells ----------------------------------------------------------------

    def heard(self, order: wire.Order, order_id: str) -> None:
        """Take in how an order stands, ours or not; waits for nothing.

        Parameters
        ----------
        order_id : ours, "" for an order that carries none.
        """
        holding = self._known(order)
        if holding is not None and holding.take_order(order, order_id):
            self._set_due(holding)

    def may_be_ours(self, order: wire.Order, order_id: str) -> bool:
        """Whether an order may be one that a trigger has placed, which `explain` would tell."""
        holding = self._known(order)
        return holding is not None and holding.may_have_placed(order, order_id)

    def explain(self, order: wire.Order, order_id: str) -> None:
        """See to it that an order is known as a trigger's before it is told of; waits."""
        holding = self._known(order)
        if holding is not None and holding.may_have_placed(order, order_id):
            with holding.at_work:
                self._desk.read(holding)
                holding.explain(order)

    def reason(self, venue_order_id: str) -> str:
        """Return `stop` or `target` for an order that a trigger has placed, "" for another."""
        for holding in list(self._holdings.values()):
            role = holding.role_of(venue_order_id)
            if role is not None:
                return _REASONS[role]
        return ""

    def _known(self, order: wire.Order) -> Holding | None:
        """Return the holding of an order's contract, None where triggers hold nothing of it."""
        if not self.is_used:
            return None
        return next(
            (
                holding
                for holding in list(self._holdings.values())
                if holding.is_of(order.exchange, order.tradingsymbol)
            ),
            None,
        )

    # -- positions ---------------------------------------------------------------------------

    def learn(self) -> None:
        """Read which triggers stand, where this process does not know it; waits."""
        for symbol in list(self._day.traded) if self.is_used else ():
            holding = self._of(symbol)
            with holding.at_work:
                if not holding.is_adopted:
                    self._desk.adopt(holding)

    def prices(self, symbol: str) -> Pair:
        """Return where a position's prices stand; those of orders that leave it count as standing.

        Brought in line first, as far as the venue lets it; waits.
        """
        holding = self._holdings.get(symbol)
        if holding is None:
            return NO_PRICES
        with holding.at_work:
            holding.is_in_doubt = True
            try:
                self._desk.align(holding)
            except TolaError as fault:
                logger.warning("triggers not in line symbol=%s error=%s", symbol, fault)
            return holding.stands

    def tend(self, now: float) -> None:
        """Go on with what is not in line; send to market what a trigger placed and nobody took.

        Parameters
        ----------
        now : seconds of a steady clock.
        """
        wait_ns = round(self._config.gtt_wait_secs * _SECOND_NS)
        for holding in list(self._holdings.values()):
            for name in holding.resting_since(self._clock() - wait_ns):
                self._put(holding, partial(self._desk.to_market, name))
            self._put_unanswered(holding)
            is_held = holding.quantity or holding.standing or holding.is_due
            if is_held and now - holding.looked_at >= self._config.gtt_look_secs:
                holding.is_in_doubt = True
                self._set_due(holding)

    # -- bringing in line --------------------------------------------------------------------

    def _put_unanswered(self, holding: Holding) -> None:
        now = self._clock()
        for tag in holding.unanswered_since(now - _ANSWER_NS, now):
            self._put(holding, partial(self._look_for, holding, tag))

    def _look_for_unanswered(self, holding: Holding) -> None:
        now = self._clock()
        for tag in holding.unanswered_since(now - _ANSWER_NS, now):
            self._look_for(holding, tag)

    def _look_for(self, holding: Holding, tag: str) -> None:
        """Look for an order whose sending was not answered; without it, protect again."""
        found = self._desk.tagged(tag)
        for order in found or ():
            self.heard(order, "")
        if found == [] and holding.forget(tag):
            self._set_due(holding)

    def _set_due(self, holding: Holding) -> None:
        holding.is_due, holding.looked_at = True, time.monotonic()

        def do() -> None:
            try:
                self._bring_in_line(holding)
            except TolaError as fault:
                symbol = holding.contract.symbol
                logger.warning("a position is not protected symbol=%s error=%s", symbol, fault)

        self._put(holding, do)

    def _put(self, holding: Holding, do: Callable[[], None]) -> None:
        self._orders.put(f"triggers {holding.contract.symbol}", do)

    def _bring_in_line(self, holding: Holding) -> None:
        """Align, and tell of the position whatever comes of it."""
        with holding.at_work:
            try:
                self._desk.align(holding)
            finally:
                self._tell(holding)

    def _tell(self, holding: Holding) -> None:
        """Tell where the position and its prices stand, where that is news."""
        try:
            net, average = self._desk.position(holding)
        except TolaError as fault:
            logger.warning("positions cannot be read error=%s", fault)
            return
        contract, stands = holding.contract, holding.stands
        told = (net, average, stands)
        if told != holding.told:
            holding.told = told
            self._emit(
                PositionUpdate(
                    contract.symbol, contract.from_venue(net), average, "", stands.stop,
                    stands.target, ts_event=self._clock(),
                )
            )  # fmt: skip

    def _of(self, symbol: str) -> Holding:
        """Return what is held of a symbol's contract of today."""
        contract = self._day.contract(symbol)
        with self._lock:
            holding = self._holdings.get(symbol)
            if holding is None or holding.contract.venue_symbol != contract.venue_symbol:
                holding = Holding(contract, self._day.tick(contract), self._config)
                self._holdings[symbol] = holding
            return holding
