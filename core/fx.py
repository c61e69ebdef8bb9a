"""Account currency against quote currency: a constant or a series of rates.

A rate is account money per 1.0 of quote money and is folded into the point value. A missing rate
is an error before the run; a stale one (a series that has stopped) blocks entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from core.bars import Series
from core.errors import ConfigError
from core.zones import NS_PER_DAY, Times

DEFAULT_MAX_AGE_NS = 4 * NS_PER_DAY
"""Older than this a rate is stale: a weekend with a holiday on either side is not."""


@dataclass(frozen=True, eq=False)
class FxRate:
    """Account money per 1.0 of quote money, through time.

    known_at : ndarray of int64, shape (n,); ns UTC from which each rate is known, ascending.
    rates : ndarray of float64, shape (n,).
    max_age_ns : a rate older than this is stale.
    """

    quote: str
    account: str
    known_at: Times
    rates: np.ndarray[tuple[int], np.dtype[np.float64]] = field(repr=False)
    max_age_ns: int = DEFAULT_MAX_AGE_NS

    @property
    def is_constant(self) -> bool:
        """Tell whether one rate holds for all time."""
        return len(self.rates) == 1 and self.known_at[0] < 0

    def at(self, ts: int) -> float:
        """Return the last rate known at a time (ns UTC); the first one before the series begins.

        Ask `is_stale` before opening a position on it.
        """
        index = int(np.searchsorted(self.known_at, ts, side="right")) - 1
        return float(self.rates[max(index, 0)])

    def is_stale(self, ts: int) -> bool:
        """Tell whether no rate young enough is known at a time (ns UTC): entries are blocked."""
        if self.is_constant:
            return False
        index = int(np.searchsorted(self.known_at, ts, side="right")) - 1
        return index < 0 or ts - int(self.known_at[index]) > self.max_age_ns


def constant_rate(quote: str, account: str, rate: float) -> FxRate:
    """Return a rate that holds for all time.

    Raises
    ------
    ConfigError : unless rate > 0.
    """
    if not (rate > 0 and np.isfinite(rate)):
        raise ConfigError(f"fx {quote}{account}={rate:g}: expected a rate above 0")
    return FxRate(quote, account, np.array([-1], np.int64), np.array([rate]))


def series_rate(quote: str, account: str, series: Series, *, inverted: bool = False) -> FxRate:
    """Return the closes of a pair's bars as rates, each known from its bar's END.

    inverted : the pair is quoted the other way round (account money in quote money).
    """
    closes = np.array(series.bars["close"], np.float64)
    if len(closes) == 0 or not np.all(closes > 0):
        raise ConfigError(f"fx series {series.symbol}: expected at least one bar, closes above 0")
    rates = 1.0 / closes if inverted else closes
    return FxRate(quote, account, np.array(series.bars["end"], np.int64), rates)


def find_rate(
    quote: str, account: str, given: Mapping[str, float | Series] | None = None
) -> FxRate:
    """Return the rate from quote to account currency out of what the user gave.

    Parameters
    ----------
    quote, account : str
        Currency codes. Equal ones need no rate.
    given : mapping
        Pair name ('USDINR') to a constant or a series of its bars; the reversed pair serves too.

    Raises
    ------
    ConfigError : if no rate is given; names both ways to give one.
    """
    if quote == account:
        return constant_rate(quote, account, 1.0)
    rates = given or {}
    for pair, inverted in ((quote + account, False), (account + quote, True)):
        if pair not in rates:
            continue
        rate = rates[pair]
        if isinstance(rate, Series):
            return series_rate(quote, account, rate, inverted=inverted)
        checked = constant_rate(quote, account, float(rate))
        return constant_rate(quote, account, 1.0 / float(rate)) if inverted else checked
    raise ConfigError(
        f"no exchange rate from {quote} to {account}: the instrument is priced in {quote} and the "
        f"account is in {account}; give one in tola.toml under [fx] as {quote}{account} = RATE "
        f'or as a price file, {quote}{account} = "FILE"'
    )
