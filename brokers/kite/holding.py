"""What is known of one contract that is protected by triggers: a state machine without a wire.

Orders of ours, orders that triggers have placed and the venue's list of triggers are taken in; what
comes out is which triggers shall stand. Any thread may call it; nothing here waits.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from brokers.contracts import Contract
from brokers.kite import wire
from brokers.kite.config import KiteConfig
from brokers.kite.mapping import SIDES, STATUSES
from brokers.kite.triggers import (
    ACTIVE,
    NO_PRICES,
    TRIGGERED,
    Cover,
    Pair,
    Step,
    chunks,
    cover_of,
    firing_of,
    limit_of,
    steps_between,
)
from core.orders import Role, Side

_MOST_PAST = 8
"""How many triggers that were placed once are remembered, to know their orders by."""


class _Entry:
    """An entry with prices of its own. filled : as far as it was counted."""

    def __init__(self, pair: Pair, side: Side, filled: int = 0) -> None:
        self.pair, self.side, self.filled = pair, side, filled


class _Leaving:
    """An order that leaves: no trigger shall stand for what it will fill.

    role : of the trigger that placed it, or whose place it takes; None: an exit of ours.
    since : market time at which it was met. is_resting : it has a limit, and may not fill.
    """

    def __init__(
        self, quantity: int, role: Role | None, since: int, filled: int = 0, *, is_resting: bool
    ) -> None:
        self.quantity, self.role, self.since, self.filled = quantity, role, since, filled
        self.is_resting = is_resting

    @property
    def left(self) -> int:
        """What it may still fill."""
        return max(0, self.quantity - self.filled)


class Holding:
    """One contract of one account; quantities in the exchange's units.

    Attributes
    ----------
    quantity : what entries with prices have opened and nothing has left yet.
    side : of the orders that leave. pair : where they shall.
    standing : triggers by the venue's id.
    is_in_doubt : the venue's list of triggers is to be read before anything is asked for.
    is_due : triggers are not in line yet. looked_at : when they were looked at, a steady clock.
    told : what was told of the position last: units, average price, prices.
    at_work : held by who asks the venue, and tells it; never by who hears its stream.
    """

    def __init__(self, contract: Contract, tick: float, config: KiteConfig) -> None:
        self.contract, self.tick = contract, tick
        self._config = config
        self._lock = threading.RLock()
        self.at_work = threading.RLock()
        self.quantity = 0
        self.side, self.pair = Side.SELL, NO_PRICES
        self.standing: dict[int, Cover] = {}
        self.is_in_doubt = self.is_due = self.is_adopted = False
        self.looked_at = 0.0
        self.told: tuple[int, float, Pair] = (0, 0.0, NO_PRICES)
        self._past: list[Cover] = []
        self._entries: dict[str, _Entry] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._roles: dict[str, Role] = {}
        self._strangers: dict[str, tuple[str, int]] = {}

    def is_of(self, exchange: str, venue_symbol: str) -> bool:
        """Whether a name of the venue's is this contract's."""
        return (self.contract.exchange, self.contract.venue_symbol) == (exchange, venue_symbol)

    # -- orders of ours ----------------------------------------------------------------------

    def expect_entry(self, order_id: str, pair: Pair, side: Side, filled: int = 0) -> bool:
        """Take an entry's prices; False where another one works or is open with others."""
        with self._lock:
            is_open = self.quantity > 0 and (self.pair, self.side) != (pair, _other(side))
            others = any(
                (entry.pair, entry.side) != (pair, side) for entry in self._entries.values()
            )
            if is_open or others:
                return False
            self._entries[order_id] = _Entry(pair, side, filled)
            return True

    def move_entry(self, order_id: str, pair: Pair) -> bool:
        """Give an entry that may still fill other prices; False where none is known."""
        with self._lock:
            entry = self._entries.get(order_id)
            if entry is not None:
                entry.pair = pair
            return entry is not None

    def follow_entry(self, order_id: str, pair: Pair, order: wire.Order) -> None:
        """Follow an entry that an earlier process has sent."""
        with self._lock:
            if not is_over(order) and order_id not in self._entries:
                side = SIDES[order.transaction_type]
                self._entries[order_id] = _Entry(pair, side, order.filled_quantity)

    def expect_exit(self, order_id: str, side: Side, units: int, now: int) -> bool:
        """Take an exit at market that is about to be sent; False where nothing is held."""
        with self._lock:
            if not self.quantity or side is not self.side:
                return False
            units = min(units, self.quantity)
            self._leaving[order_id] = _Leaving(units, None, now, is_resting=False)
            return True

    def expect_stand_in(self, tag: str, role: Role, now: int) -> int:
        """Take an order at market in place of triggers; return its quantity."""
        with self._lock:
            units = self.amount
            self._leaving[tag] = _Leaving(units, role, now, is_resting=False)
            return units

    def name_stand_in(self, tag: str, venue_order_id: str) -> None:
        """Know the venue's id of an order that took the place of triggers."""
        with self._lock:
            leaving = self._leaving.pop(tag, None)
            if leaving is not None:  # else it was heard of before its id was
                self._leaving[venue_order_id] = leaving
                self._roles[venue_order_id] = leaving.role or Role.STOP

    def forget(self, name: str) -> bool:
        """Forget an order that will never fill; whether triggers are to make up for it."""
        with self._lock:
            self._entries.pop(name, None)
            return self._leaving.pop(name, None) is not None

    def leaves_too_much(self, order_id: str) -> bool:
        """Whether an exit and orders of triggers would leave more than there is."""
        with self._lock:
            left = sum(item.left for item in self._leaving.values())
            fired = any(item.role is not None for item in self._leaving.values())
            return order_id in self._leaving and fired and left > self.quantity

    def close(self) -> None:
        """Protect nothing any more: all of it is being closed."""
        with self._lock:
            self.quantity = 0

    # -- what the venue tells of orders ------------------------------------------------------

    def take_order(self, order: wire.Order, order_id: str) -> bool:
        """Take in how an order stands; whether triggers must be looked at.

        Parameters
        ----------
        order_id : ours, "" for an order that carries none.
        """
        with self._lock:
            is_news = self._count_entry(order, order_id) or self._count_leaving(order, order_id)
            told = (order.status, order.filled_quantity)
            is_new = self._strangers.get(order.order_id) != told
            if is_new and self.may_have_placed(order, order_id):
                self._strangers[order.order_id] = told
                self.is_in_doubt = is_news = True
            return is_news

    def _count_entry(self, order: wire.Order, order_id: str) -> bool:
        entry = self._entries.get(order_id)
        if entry is None:
            return False
        more, entry.filled = order.filled_quantity - entry.filled, order.filled_quantity
        if more > 0:
            self.pair, self.side = entry.pair, _other(entry.side)
            self.quantity += more
        if is_over(order):
            del self._entries[order_id]
        return more > 0

    def _count_leaving(self, order: wire.Order, order_id: str) -> bool:
        if order.tag and order.tag in self._leaving and order.tag != order_id:
            self.name_stand_in(order.tag, order.order_id)
        name = next((key for key in (order.order_id, order_id) if key in self._leaving), None)
        if name is None:
            return False
        leaving = self._leaving[name]
        more, leaving.filled = order.filled_quantity - leaving.filled, order.filled_quantity
        self.quantity = max(0, self.quantity - max(0, more))
        if is_over(order):
            del self._leaving[name]
            return True
        return more > 0

    def may_have_placed(self, order: wire.Order, order_id: str) -> bool:
        """Whether a trigger may have placed an order that is not known as such."""
        with self._lock:
            return bool(
                self.quantity
                and not order_id
                and order.order_id not in self._roles
                and SIDES.get(order.transaction_type) is self.side
            )

    def explain(self, order: wire.Order) -> None:
        """Know an order by what a trigger would have placed: its row in the list may be gone."""
        with self._lock:
            for cover in self._past:
                for role, price in cover.legs if self._is_like(order, cover) else ():
                    limit = limit_of(price, cover.side, self._config, self.tick)
                    if abs(limit - order.price) <= 0.5 * self.tick:
                        self._fired(order.order_id, role, cover.quantity, order.order_timestamp)
            self._count_leaving(order, "")

    @staticmethod
    def _is_like(order: wire.Order, cover: Cover) -> bool:
        side = SIDES.get(order.transaction_type)
        return (order.quantity, side) == (cover.quantity, cover.side)

    def role_of(self, venue_order_id: str) -> Role | None:
        """Return which price set an order off, None where no trigger has placed it."""
        with self._lock:
            return self._roles.get(venue_order_id)

    # -- the venue's list of triggers --------------------------------------------------------

    def take_triggers(self, rows: Sequence[wire.Gtt], now: int) -> None:
        """Take in which triggers stand and which have fired; ours are known by their limits."""
        with self._lock:
            before, self.standing, self.is_in_doubt = self.standing, {}, False
            for gtt in rows:
                if not self.is_of(gtt.exchange, gtt.tradingsymbol):
                    continue
                known = before.get(gtt.id)
                cover = cover_of(gtt, self._config, self.tick)
                if gtt.status == ACTIVE:
                    self._take_standing(gtt, known, cover)
                elif gtt.status == TRIGGERED:
                    self._take_fired(gtt, known, cover, now)

    def _take_standing(self, gtt: wire.Gtt, known: Cover | None, cover: Cover | None) -> None:
        if cover is None and known is not None:
            cover = _moved(gtt, known)
        if cover is None:
            return
        self.standing[gtt.id] = cover
        if known is not None and known.pair == self.pair != cover.pair:
            self.pair = cover.pair  # another hand moved it: the broker judges that

    def _take_fired(
        self, gtt: wire.Gtt, known: Cover | None, cover: Cover | None, now: int
    ) -> None:
        told = known or cover
        firing = None if told is None else firing_of(gtt, told)
        if firing is None or not firing.venue_order_id:
            return
        if known is not None:
            self._fired(firing.venue_order_id, firing.role, firing.quantity, now)
        else:
            self._roles.setdefault(firing.venue_order_id, firing.role)

    def _fired(self, venue_order_id: str, role: Role, quantity: int, now: int) -> None:
        if venue_order_id not in self._roles:
            self._roles[venue_order_id] = role
            self._leaving[venue_order_id] = _Leaving(quantity, role, now, is_resting=True)

    def adopt(self, net: int, orders: Sequence[wire.Order], now: int) -> None:
        """Take over what an earlier process has left. orders : the day's. net : the position."""
        with self._lock:
            self.is_adopted = True
            for order in orders:
                role = self._roles.get(order.order_id)
                if role is not None and not is_over(order):
                    self._leaving[order.order_id] = _Leaving(
                        order.quantity, role, now, order.filled_quantity, is_resting=True
                    )
            ours = [cover for cover in self.standing.values() if int(cover.side) * net < 0]
            if ours:
                self.side, self.pair = ours[0].side, ours[0].pair
                self.quantity = min(abs(net), sum(cover.quantity for cover in ours))

    # -- the position ------------------------------------------------------------------------

    def take_position(self, net: int) -> None:
        """Know of what other hands closed: nothing is protected that is not there."""
        with self._lock:
            if self._entries or self._leaving:
                return  # fills are on their way; the position book may lag behind them
            is_held = net * int(self.side) < 0
            self.quantity = min(self.quantity, abs(net)) if is_held else 0

    def trust(self, units: int, net: int) -> None:
        """Take the broker's word for what is open, where an earlier process has opened it.

        Parameters
        ----------
        units : signed, as the broker knows it. net : as the venue's book has it.
        """
        with self._lock:
            if net * units > 0 and not self._leaving:
                self.side = Side.SELL if units > 0 else Side.BUY
                self.quantity = max(self.quantity, min(abs(units), abs(net)))

    # -- what follows ------------------------------------------------------------------------

    @property
    def amount(self) -> int:
        """What triggers shall stand for."""
        with self._lock:
            return max(0, self.quantity - sum(item.left for item in self._leaving.values()))

    def steps(self, most: int | None) -> list[Step]:
        """Return what is to be asked for. most : of one order; None: any."""
        with self._lock:
            amount = self.amount if self.pair != NO_PRICES else 0
            sizes = chunks(amount, most or max(amount, 1))
            return steps_between(self.standing, [Cover(self.side, n, self.pair) for n in sizes])

    def placing(self, cover: Cover) -> None:
        """A trigger is about to be placed: an order of it is known by this."""
        with self._lock:
            self._past = [*self._past, cover][-_MOST_PAST:]

    def placed(self, trigger_id: int, cover: Cover | None) -> None:
        """A trigger stands; None: no more."""
        with self._lock:
            if cover is None:
                self.standing.pop(trigger_id, None)
            else:
                self.standing[trigger_id] = cover

    @property
    def stands(self) -> Pair:
        """Where the position is protected; by orders that leave it already, too."""
        with self._lock:
            covered = sum(cover.quantity for cover in self.standing.values())
            is_leaving = any(item.role is not None for item in self._leaving.values())
            is_covered = covered >= self.amount or is_leaving
            return self.pair if self.quantity and is_covered else NO_PRICES

    def resting_since(self, moment: int) -> list[str]:
        """Return orders of triggers that nobody has taken since a time; each is told once."""
        with self._lock:
            found = []
            for name, item in self._leaving.items():
                if item.is_resting and item.since <= moment:
                    item.is_resting = False
                    found.append(name)
            return found

    def unanswered_since(self, moment: int, now: int) -> list[str]:
        """Return the tags of stand-ins not heard of since a time; each again after a while."""
        with self._lock:
            found = []
            for name, item in self._leaving.items():
                if item.role is not None and name not in self._roles and item.since <= moment:
                    item.since = now
                    found.append(name)
            return found


def is_over(order: wire.Order) -> bool:
    """Whether an order can fill no more."""
    status = STATUSES.get(order.status)
    return status is not None and status.is_end


def _other(side: Side) -> Side:
    return Side(-int(side))


def _moved(gtt: wire.Gtt, before: Cover) -> Cover:
    """Return what a trigger of ours covers that another hand has changed."""
    roles = [role for role, _ in before.legs]
    legs = dict(zip(roles, gtt.trigger_values, strict=False))
    return Cover(before.side, before.quantity, Pair(legs.get(Role.STOP), legs.get(Role.TARGET)))
