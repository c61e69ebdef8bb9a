"""A venue's contract in our words, and where its facts are not those of our tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isclose, isfinite

from core.calendar import day_date
from core.errors import ConfigError
from core.instruments import InstrumentFacts
from core.prices import steps_to_quantity

_NEAR = 1e-9
_WHOLE = 1e-6


@dataclass(frozen=True, slots=True)
class Contract:
    """What one of the project's symbols is at a venue. None: the venue does not say.

    Quantities are ours: lots, contracts or units, as the instrument trades.

    Attributes
    ----------
    symbol : the project's. venue_symbol, venue_id : the venue's name for people, and what orders
        and streams call it. exchange : with its segment, as the venue parts them.
    expiry : trading-day number of the last day. month : delivery month "YYYY-MM" where only that
        is told. is_front : the venue marks it as the one to trade now.
    tick, lot : steps of price and quantity. multiplier : quote money per 1.0 of price and quantity.
    minimum, freeze_quantity : least and most of one order.
    venue_units : how many of the units the venue counts in are 1.0 of our quantity (cTrader counts
        hundredths of an ounce: 10,000 a lot of gold).
    """

    symbol: str
    venue_symbol: str
    venue_id: str
    exchange: str = ""
    expiry: int | None = None
    month: str = ""
    is_front: bool | None = None
    tick: float | None = None
    lot: float | None = None
    multiplier: float | None = None
    currency: str = ""
    minimum: float | None = None
    freeze_quantity: float | None = None
    venue_units: float = 1.0

    def __post_init__(self) -> None:
        given = {
            "tick": self.tick,
            "lot": self.lot,
            "multiplier": self.multiplier,
            "minimum": self.minimum,
            "freeze_quantity": self.freeze_quantity,
            "venue_units": self.venue_units,
        }
        faults = [
            f"{name}={value:g}: expected a number above 0"
            for name, value in given.items()
            if value is not None and not 0 < value < inf
        ]
        if not (self.symbol and self.venue_symbol and self.venue_id):
            faults.append("its symbol, the venue's name or the venue's id is empty")
        if faults:
            raise ValueError(f"contract {self.venue_symbol or self.symbol}: {'; '.join(faults)}")

    @property
    def expires(self) -> bool:
        """Whether there is a later contract to go to one day."""
        return self.expiry is not None or bool(self.month)

    @property
    def order(self) -> tuple[str, int]:
        """What contracts of one symbol are put in order by: nearest expiry first."""
        if self.expiry is not None:
            return f"{day_date(self.expiry):%Y-%m}", self.expiry
        return self.month, 0

    def to_venue(self, quantity: float) -> float:
        """Return a quantity of ours as the venue counts it.

        Raises
        ------
        ValueError : it is no whole number of lots, or of the venue's units.
        """
        if self.lot is not None and not _is_whole(quantity / self.lot):
            raise ValueError(f"{quantity:g} {self.symbol}: expected whole steps of {self.lot:g}")
        if self.venue_units == 1.0:
            return _clean(quantity, self.lot)
        units = quantity * self.venue_units
        if not _is_whole(units):
            raise ValueError(
                f"{quantity:g} {self.symbol}: {units:g} is no whole number of the venue's units"
            )
        return float(round(units))

    def from_venue(self, units: float) -> float:
        """Return what the venue counts as a quantity of ours."""
        return _clean(units / self.venue_units, self.lot)

    def describe(self) -> str:
        """Return `NIFTY26SEPFUT (NFO, expires 2026-09-29)`."""
        facts = [self.exchange] if self.exchange else []
        if self.expiry is not None:
            facts.append(f"expires {day_date(self.expiry)}")
        elif self.month:
            facts.append(f"delivered {self.month}")
        return f"{self.venue_symbol} ({', '.join(facts)})" if facts else self.venue_symbol


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) <= _WHOLE


def _clean(quantity: float, lot: float | None) -> float:
    """Return a quantity free of float dust where it lies on a lot step."""
    if lot is None or not _is_whole(quantity / lot):
        return quantity
    return float(steps_to_quantity(round(quantity / lot), lot))


_GRAVE = ("tick", "lot", "multiplier", "currency")


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that the venue tells otherwise than our dated table. theirs, ours : in words."""

    symbol: str
    venue: str
    venue_symbol: str
    fact: str
    theirs: str
    ours: str

    @property
    def is_grave(self) -> bool:
        """Whether sizes, prices or money would be wrong: nothing is traded before it is settled."""
        return self.fact in _GRAVE

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"{self.symbol}: {self.fact} is {self.theirs} at {self.venue} "
            f"({self.venue_symbol}) and {self.ours} in our table"
        )


def differences_of(
    contract: Contract, venue: str, facts: InstrumentFacts, currency: str, expiry: int | None
) -> list[Difference]:
    """Return where a contract is not as our table says; what the venue does not tell is no one.

    Parameters
    ----------
    facts : of the trading day. currency : the instrument's.
    expiry : the month's expiry by our table; None: it has no rule.
    """
    told: list[tuple[str, float | None, float]] = [
        ("tick", contract.tick, facts.tick),
        ("lot", contract.lot, facts.lot),
        ("multiplier", contract.multiplier, facts.multiplier),
        ("freeze_quantity", contract.freeze_quantity, facts.freeze_quantity),
    ]
    found = [
        (fact, f"{theirs:g}", f"{ours:g}" if isfinite(ours) else "not limited")
        for fact, theirs, ours in told
        if theirs is not None and not isclose(theirs, ours, rel_tol=_NEAR)
    ]
    if contract.currency and contract.currency != currency:
        found.append(("currency", contract.currency, currency))
    if contract.expiry is not None and expiry is not None and contract.expiry != expiry:
        found.append(("expiry", str(day_date(contract.expiry)), str(day_date(expiry))))
    return [
        Difference(contract.symbol, venue, contract.venue_symbol, fact, theirs, ours)
        for fact, theirs, ours in found
    ]


def refuse_differences(differences: Sequence[Difference]) -> None:
    """Raise ConfigError if a difference is grave; says how to trade by the venue's word."""
    grave = [item for item in differences if item.is_grave]
    if not grave:
        return
    sets = [
        f"--instrument-set {item.fact}={item.theirs}" for item in grave if item.fact != "currency"
    ]
    remedy = f"; to trade by the venue's word: {' '.join(sets)}" if sets else ""
    raise ConfigError("; ".join(item.describe() for item in grave) + remedy)
