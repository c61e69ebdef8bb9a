"""`TriggerDesk`: brings the venue's triggers in line with what shall stand; waits for the venue."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from brokers.errors import Disconnected, OrderRejected, OutcomeUnknown, RateLimited
from brokers.kite import wire
from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig
from brokers.kite.holding import Holding
from brokers.kite.mapping import GUARD_TAG, SIDE_NAMES, whole_units
from brokers.kite.trading_day import TradingDay
from brokers.kite.triggers import Cover, Step, trigger_terms
from core.errors import TolaError
from core.orders import Role

logger = logging.getLogger(__name__)

_TRIES = 4
_WAIT_SECS = 0.2
"""Between the tries of what the venue did not answer, or has no room for."""
_TAG_CHARS = 20


class TriggerDesk:
    """Asks and tells the venue of one account's triggers.

    Parameters
    ----------
    last_price : returns the last price of a symbol's contract on the stream, None before any.
    clock : the market's time, ns UTC.
    """

    def __init__(
        self,
        config: KiteConfig,
        day: TradingDay,
        client: KiteClient,
        last_price: Callable[[str], float | None],
        clock: Callable[[], int],
    ) -> None:
        self._config = config
        self._day = day
        self._client = client
        self._last_price = last_price
        self._clock = clock
        self._numbers = itertools.count(1)

    def align(self, holding: Holding) -> None:
        """Ask for what triggers lack; what is in doubt is read first.

        Raises
        ------
        TolaError : they are not in line; the holding stays due.
        """
        holding.is_due = True
        for tries_left in reversed(range(_TRIES)):
            try:
                if holding.is_in_doubt:
                    self.read(holding)
                    holding.take_position(self.position(holding)[0])
                while steps := holding.steps(self._most(holding)):
                    self._do(holding, steps[0])
                holding.is_due = False
                return
            except (OutcomeUnknown, Disconnected, RateLimited) as fault:
                holding.is_in_doubt |= isinstance(fault, OutcomeUnknown)
                if not tries_left:
                    raise
                time.sleep(_WAIT_SECS)
            except OrderRejected:  # it may have fired, or be gone
                holding.is_in_doubt = True
                if not tries_left:
                    raise

    def _most(self, holding: Holding) -> int | None:
        """Return the most units that one order may be of."""
        freeze = self._day.freeze_quantity(holding.contract)
        return whole_units(holding.contract, freeze) if math.isfinite(freeze) else None

    def _do(self, holding: Holding, step: Step) -> None:
        """Place, change or delete one trigger; leave at market where a price was reached."""
        if step.cover is None:
            assert step.trigger_id is not None
            self._client.delete_gtt(step.trigger_id)
            holding.placed(step.trigger_id, None)
            return
        last = self._last(holding)
        role = step.cover.pair.reached(step.cover.side, last)
        if role is None:
            self._place(holding, step.trigger_id, step.cover, last)
        else:
            self._stand_in(holding, role)

    def _place(self, holding: Holding, trigger_id: int | None, cover: Cover, last: float) -> None:
        terms = trigger_terms(cover, holding.contract, last, self._config, holding.tick)
        holding.placing(cover)
        if trigger_id is None:
            trigger_id = self._client.place_gtt(terms)
        else:
            trigger_id = self._client.modify_gtt(trigger_id, terms)
        holding.placed(trigger_id, cover)

    def _stand_in(self, holding: Holding, role: Role) -> None:
        """Leave at market what has no trigger: its price was reached before one stood."""
        logger.warning(
            "%s reached before it stood contract=%s",
            role.name.lower(), holding.contract.describe(),
        )  # fmt: skip
        number = f"{next(self._numbers):x}"
        tag = f"{GUARD_TAG}{self._clock() // 1_000_000:x}"[: _TAG_CHARS - len(number)] + number
        units = holding.expect_stand_in(tag, role, self._clock())
        try:
            for trigger_id in list(holding.standing):  # what leaves now must not leave twice
                self._do(holding, Step(trigger_id, None))
            venue_order_id = self._client.place_order(self._at_market(holding, units, tag))
        except OutcomeUnknown:
            return  # looked for by its tag
        except TolaError:
            holding.forget(tag)
            raise
        holding.name_stand_in(tag, venue_order_id)

    def _at_market(self, holding: Holding, units: int, tag: str) -> dict[str, Any]:
        return {
            "variety": "regular",
            "exchange": holding.contract.exchange,
            "tradingsymbol": holding.contract.venue_symbol,
            "transaction_type": SIDE_NAMES[holding.side],
            "quantity": units,
            "product": self._config.product,
            "order_type": "MARKET",
            "validity": "DAY",
            "market_protection": self._config.market_protection,
            "tag": tag,
        }

    def to_market(self, venue_order_id: str) -> None:
        """Send an order that a trigger placed, and nobody took, to market."""
        logger.warning("a trigger's order did not fill: to market order=%s", venue_order_id)
        terms = {
            "variety": "regular", "order_type": "MARKET", "validity": "DAY",
            "market_protection": self._config.market_protection,
        }  # fmt: skip
        try:
            self._client.modify_order(venue_order_id, terms)
        except TolaError as fault:
            logger.warning("not sent to market order=%s error=%s", venue_order_id, fault)

    def _last(self, holding: Holding) -> float:
        """Return a contract's last price, from the stream where it has told one."""
        told = self._last_price(holding.contract.symbol)
        if told is not None:
            return told
        name = f"{holding.contract.exchange}:{holding.contract.venue_symbol}"
        quote = self._client.get_quote(name).get(name)
        if quote is None:
            raise TolaError(f"{name}: no price, so that no trigger can be placed")
        return quote.last_price

    # -- reading -----------------------------------------------------------------------------

    def read(self, holding: Holding) -> None:
        """Read which triggers stand and which have fired."""
        holding.take_triggers(self._client.get_gtts(), self._clock())

    def adopt(self, holding: Holding) -> None:
        """Take over what an earlier process has left at the venue."""
        self.read(holding)
        net, _ = self.position(holding)
        holding.adopt(net, self._client.get_orders(), self._clock())
        self.align(holding)

    def tagged(self, tag: str) -> list[wire.Order] | None:
        """Return the day's orders with a tag, None where the order book cannot be read."""
        try:
            orders = self._client.get_orders()
        except TolaError as fault:
            logger.warning("the order book cannot be read error=%s", fault)
            return None
        return [order for order in orders if tag in (order.tag, *order.tags)]

    def order(self, venue_order_id: str) -> wire.Order:
        """Return the present state of an order."""
        return self._client.get_order(venue_order_id)

    def position(self, holding: Holding) -> tuple[int, float]:
        """Return the signed units held of the product that is traded, and their average price."""
        rows = [
            row
            for row in self._client.get_positions().net
            if holding.is_of(row.exchange, row.tradingsymbol)
            and row.product == self._config.product
        ]
        average = next((row.average_price for row in rows if row.quantity), 0.0)
        return sum(row.quantity for row in rows), average
