"""What a venue must bring to be tried by the suite: a market that does what it is told, other
hands, faults on the wire, and its own books to look at from outside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from core.events import Event
from core.instruments import Instrument
from core.orders import Side

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


class Ability(Enum):
    """What a lab may be able to do; one that cannot says so in `lacks`, and the tests skip.

    PARTIAL_FILLS : a print's volume bounds what fills on it.
    STOP_BESIDE_TARGET : a stop stands while a target fills part by part.
    REFUSES : the venue can be made to refuse the next order.
    LOSES_REQUESTS, LOSES_ANSWERS : a request never arrives; it does, and its answer never comes.
    REPEATS, REORDERS : what the venue tells comes twice; in another order.
    HOLDS : what the venue tells is held back until it is let through.
    CUTS : the connection for orders breaks, while the market goes on.
    OTHER_HAND, FOREIGN_SYMBOL : somebody else trades; also on a symbol that no plan trades.
    ENDS_SESSION : the trading day can be brought to its end.
    RESTARTS : our side may die and come back to the same account.
    """

    PARTIAL_FILLS = "partial fills"
    STOP_BESIDE_TARGET = "a stop beside a target that fills"
    REFUSES = "refusals"
    LOSES_REQUESTS = "lost requests"
    LOSES_ANSWERS = "lost answers"
    REPEATS = "repeated messages"
    REORDERS = "messages in another order"
    HOLDS = "held back messages"
    CUTS = "a broken connection"
    OTHER_HAND = "another hand"
    FOREIGN_SYMBOL = "another symbol"
    ENDS_SESSION = "the end of a session"
    RESTARTS = "restarts"


@dataclass(frozen=True)
class TrueOrder:
    """An order as the venue's own books hold it, read from outside.

    order_id : our client tag, "" for another hand's. is_working : it may still fill; a child that
    waits for its parent does not work. is_stop : it protects a position.
    """

    order_id: str
    venue_order_id: str
    side: Side
    quantity: float
    filled: float
    price: float | None
    is_working: bool
    is_waiting: bool
    is_stop: bool

    @property
    def left(self) -> float:
        """What is left of it."""
        return self.quantity - self.filled


@dataclass(frozen=True)
class TrueFill:
    """A fill as the venue's own books hold it."""

    fill_id: str
    order_id: str
    side: Side
    quantity: float
    price: float


@dataclass(frozen=True)
class Truth:
    """The venue's own books of the traded symbol, read from outside."""

    orders: tuple[TrueOrder, ...]
    fills: tuple[TrueFill, ...]

    @property
    def working(self) -> list[TrueOrder]:
        """Orders that may fill."""
        return [order for order in self.orders if order.is_working]

    @property
    def ours(self) -> list[TrueOrder]:
        """Orders of ours that work or wait."""
        return [
            order
            for order in self.orders
            if order.order_id and (order.is_working or order.is_waiting)
        ]

    @property
    def net(self) -> float:
        """Signed position by the fills alone, whoever made them."""
        return round(sum(fill.quantity * fill.side for fill in self.fills), 9)

    def stops(self, side: Side) -> float:
        """Quantity that working stops of a side cover."""
        return sum(order.left for order in self.working if order.is_stop and order.side is side)


class Lab(ABC):
    """One account at one venue, under the tests' control.

    A venue's lab is made for each test, in a folder of its own. Time is the market's: it stands
    still unless a test shows a price or lets it pass.

    Attributes
    ----------
    lacks : what it cannot do, and why.
    instrument, symbol : what is traded. other_symbol : one that no plan trades.
    calendar : name of the market's calendar.
    base : price around which the tests trade. cash, currency : of the account.
    opens : START of the first bar, ns UTC: inside a session, hours before its end.
    now : the market's time, ns UTC. last : the last price printed.
    """

    lacks: Mapping[Ability, str] = {}
    instrument: Instrument
    calendar: str
    base: float
    opens: int
    cash = 100_000.0
    currency = "USD"
    other_symbol = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = self.opens
        self.last = self.base

    @property
    def symbol(self) -> str:
        """The traded symbol."""
        return self.instrument.symbol

    @property
    def tick(self) -> float:
        """Price step of the traded symbol."""
        return self.instrument.facts(int(self.opens // (86_400 * SECOND))).tick

    @property
    def lot(self) -> float:
        """Quantity step of the traded symbol."""
        return self.instrument.facts(int(self.opens // (86_400 * SECOND))).lot

    @property
    def money_a_point(self) -> float:
        """Account money per 1.0 price move of 1.0 quantity."""
        return self.instrument.facts(int(self.opens // (86_400 * SECOND))).multiplier

    def at(self, ticks: int) -> float:
        """Return the price so many ticks from the base."""
        return round(self.base + ticks * self.tick, 9)

    def needs(self, ability: Ability) -> None:
        """Skip a test where the lab cannot do what it needs, with the reason."""
        why = self.lacks.get(ability)
        if why is not None:
            pytest.skip(f"{ability.value}: {why}")

    # -- our side ----------------------------------------------------------------------------

    @abstractmethod
    def open_port(self, emit: Callable[[Event], None]) -> Any:
        """Return a new connection (a `VenuePort`) to the account; it tells what it hears.

        A second call, after `drop_port`, is a new process of ours on the same account.
        """

    @abstractmethod
    def drop_port(self) -> None:
        """Let our side's process die: its connection is gone, nothing was said."""

    def join(self, our_side: Any) -> None:  # noqa: B027
        """Do what a session does besides for this venue, before it runs; most need nothing."""

    @abstractmethod
    def close(self) -> None:
        """End it all."""

    # -- the market --------------------------------------------------------------------------

    @abstractmethod
    def show(self, price: float, volume: float | None = None) -> None:
        """Let a trade be printed a second after the last; volume: enough for everybody."""

    @abstractmethod
    def pass_time(self, secs: float) -> None:
        """Let time pass without a price."""

    def end_session(self) -> None:
        """Bring the trading day to its end, and begin the next."""
        raise NotImplementedError

    @abstractmethod
    def rest(self) -> None:
        """Wait until nothing is on its way between the venue and our side's inbox."""

    # -- from outside ------------------------------------------------------------------------

    @abstractmethod
    def truth(self) -> Truth:
        """Return the venue's own books, read past our side."""

    # -- faults ------------------------------------------------------------------------------

    def refuse_next(self, reason: str) -> None:
        """Let the venue refuse the next order."""
        raise NotImplementedError

    def lose_request(self, verb: str) -> None:
        """Let the next request of a kind (submit, modify, cancel) get lost on its way there."""
        raise NotImplementedError

    def lose_answer(self, verb: str, *, stream_too: bool) -> None:
        """Let the next request of a kind be done and its answer get lost.

        stream_too : what the stream would tell of it is lost as well, until the next snapshot.
        """
        raise NotImplementedError

    def repeat_all(self) -> None:
        """Let everything the venue tells come twice from now on."""
        raise NotImplementedError

    def hold(self) -> None:
        """Hold back what the venue tells."""
        raise NotImplementedError

    def let_through(self, *, backwards: bool = False) -> None:
        """Let through what was held back, the last first if so asked, and hold no more."""
        raise NotImplementedError

    def cut(self) -> None:
        """Break the connection for orders: what is told meanwhile is lost."""
        raise NotImplementedError

    def mend(self) -> None:
        """Bring the connection for orders back."""
        raise NotImplementedError

    # -- another hand ------------------------------------------------------------------------

    def hand_places(self, side: Side, quantity: float, price: float | None = None) -> str:
        """Place another hand's order: a limit at a price, or at market; return the venue's id."""
        raise NotImplementedError

    def hand_closes(self, quantity: float | None = None) -> None:
        """Close the position by another hand, or a quantity of it; the next price fills it."""
        raise NotImplementedError

    def hand_cancels(self, venue_order_id: str) -> None:
        """Cancel an order by another hand."""
        raise NotImplementedError

    def hand_moves(self, venue_order_id: str, price: float) -> None:
        """Move an order by another hand."""
        raise NotImplementedError

    def hand_opens_elsewhere(self) -> None:
        """Open a position by another hand on a symbol that no plan trades."""
        raise NotImplementedError
