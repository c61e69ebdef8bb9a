"""What becomes of an open position on the day its contract is left: a decision, as a record.

Nothing is sent here. The old contract is closed first and the new one opened in the quantity that
was really closed, so that exposure never doubles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import isfinite

from brokers.contracts import Contract
from core.calendar import day_date
from core.errors import BrokerError
from core.orders import Side
from core.prices import quantity_to_steps, round_down, round_up, steps_to_quantity

_DUST = 1e-6
"""Share of a lot below which a quantity is none."""


class RollAction(Enum):
    """ROLL : the position goes on in the next contract. CLOSE : it ends with the old one."""

    ROLL = "roll"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Holding:
    """An open position as far as a rollover needs it. direction : +1 long, -1 short."""

    symbol: str
    direction: int
    quantity: float
    stop: float | None = None
    target: float | None = None
    plan_id: str = ""
    position_id: str = ""


@dataclass(frozen=True, slots=True)
class RollPrices:
    """Both contracts' prices with their times, ns UTC."""

    old: float
    new: float
    old_time: int
    new_time: int


@dataclass(frozen=True, slots=True)
class Rollover:
    """Close the old contract, open the new one: same direction, same quantity, stop moved along.

    Attributes
    ----------
    day : trading-day number from which the new contract is traded.
    close_side, close_quantity : the order that ends the old position.
    open_side, open_quantity : the order that opens the new one; 0 where none is.
    left_out : quantity that is not opened again, since the new contract has another lot.
    price_difference : new price minus old, by which stop and target are moved.
    stop, target : of the new position, on its tick, never farther from the price than before.
    reason : why less is opened than was closed, "" where it is the same.
    """

    symbol: str
    plan_id: str
    position_id: str
    day: int
    action: RollAction
    old: Contract
    new: Contract | None
    close_side: Side
    close_quantity: float
    open_side: Side
    open_quantity: float
    left_out: float
    price_difference: float
    stop: float | None
    target: float | None
    reason: str = ""

    def for_closed(self, quantity: float, lot: float) -> Rollover:
        """Return the plan where only so much could be closed: no more than that is opened."""
        opened = min(self.open_quantity, _whole(quantity, lot))
        if opened == self.open_quantity:
            return self
        return replace(
            self,
            open_quantity=opened,
            left_out=self.close_quantity - opened,
            reason=f"{quantity:g} of {self.close_quantity:g} were closed",
        )

    def describe(self) -> str:
        """Return it in one line."""
        what = f"{self.symbol} {day_date(self.day)}: close {self.close_quantity:g}"
        text = f"{what} {self.old.venue_symbol}"
        if self.new is not None and self.open_quantity:
            word = "buy" if self.open_side is Side.BUY else "sell"
            text += f", {word} {self.open_quantity:g} {self.new.venue_symbol}"
            text += f", prices moved by {self.price_difference:+g}"
            text += "" if self.stop is None else f", stop {self.stop:g}"
        return f"{text} ({self.reason})" if self.reason else text


def plan_rollover(
    holding: Holding,
    old: Contract,
    new: Contract | None,
    prices: RollPrices | None,
    day: int,
    *,
    tick: float,
    lot: float,
    action: RollAction = RollAction.ROLL,
    most_apart_ns: int = 60_000_000_000,
) -> Rollover:
    """Return what to do with a position when its contract is left.

    Parameters
    ----------
    new : None: no later contract is known, the position ends.
    prices : of both contracts at one moment; None is enough where the position ends.
    tick, lot : of the new contract, as settled between the venue and our table.
    most_apart_ns : how far apart the two prices may be told for their difference to count.

    Raises
    ------
    BrokerError : the prices that stop and target are moved by are not known well enough.
    """
    closing = Side.SELL if holding.direction > 0 else Side.BUY
    ends = Rollover(
        symbol=holding.symbol,
        plan_id=holding.plan_id,
        position_id=holding.position_id,
        day=day,
        action=RollAction.CLOSE,
        old=old,
        new=None,
        close_side=closing,
        close_quantity=holding.quantity,
        open_side=Side(-closing),
        open_quantity=0.0,
        left_out=holding.quantity,
        price_difference=0.0,
        stop=None,
        target=None,
        reason="asked for" if new is not None else "no later contract is known",
    )
    if new is None or action is RollAction.CLOSE:
        return ends
    quantity = _whole(holding.quantity, lot)
    if quantity <= 0.0:
        reason = f"{holding.quantity:g} is less than one lot of {lot:g} of {new.venue_symbol}"
        return replace(ends, reason=reason)
    difference = _difference(holding.symbol, prices, most_apart_ns)
    left = holding.quantity - quantity
    left = 0.0 if left < _DUST * lot else left
    return replace(
        ends,
        action=RollAction.ROLL,
        new=new,
        open_quantity=quantity,
        left_out=left,
        price_difference=difference,
        stop=_moved(holding.stop, difference, tick, up=holding.direction > 0),
        target=_moved(holding.target, difference, tick, up=holding.direction < 0),
        reason=f"{left:g} are no whole lot of {lot:g}" if left else "",
    )


def _difference(symbol: str, prices: RollPrices | None, most_apart_ns: int) -> float:
    if prices is None or not (isfinite(prices.old) and isfinite(prices.new)):
        raise BrokerError(f"{symbol}: no rollover: a contract has no price: subscribe to both")
    apart = abs(prices.new_time - prices.old_time)
    if apart > most_apart_ns:
        raise BrokerError(
            f"{symbol}: no rollover: the contracts' prices are {apart / 1e9:.0f} s apart, "
            f"expected at most {most_apart_ns / 1e9:.0f} s: wait until both trade"
        )
    return prices.new - prices.old


def _moved(price: float | None, difference: float, tick: float, *, up: bool) -> float | None:
    """Return a price moved along, rounded to the tick towards the market."""
    if price is None:
        return None
    return float((round_up if up else round_down)(price + difference, tick))


def _whole(quantity: float, lot: float) -> float:
    """Return the largest whole number of lots within a quantity."""
    return float(steps_to_quantity(quantity_to_steps(quantity, lot), lot))
