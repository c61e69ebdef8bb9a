"""From what a command line says of a venue to the market its session is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from backtests.loading import LoadedPlan
from brokers.access import access_to
from brokers.registry import Credentials, PortRequest, get_venue
from core.bars import Series
from core.config import Account, LiveSettings
from core.errors import ConfigError
from core.instruments import Instrument
from live.build import SessionTerms, start_of
from live.market import VenueMarket
from live.session import SessionRequest

SANDBOX = "sandbox"
"""The account at a sandbox: its orders go there."""
DEFAULT_VENUE = "kite"
_NEAR_NS = 60_000_000_000


class Opened(Protocol):
    """A sandbox that runs, as `sandbox.for_session` gives it."""

    options: Mapping[str, Any]
    credentials: Mapping[str, str]
    account: str
    lock_step: str

    def clock(self) -> int:
        """Return the market's time, ns UTC."""

    def is_over(self) -> bool:
        """Whether its prices have come to their end."""

    def close(self) -> None:
        """End it."""


OpenSandbox = Callable[..., Opened]


def sandbox_market(
    opened: Opened, venue: str, account: str | None, live: LiveSettings
) -> VenueMarket:
    """Return a sandbox as a market; orders go there on its own account, else paper fills them."""
    entry = get_venue(venue)

    def open_port(emit: Any, symbols: Sequence[str]) -> Any:
        return entry.make_port(
            PortRequest(
                Account(opened.account, venue),
                live,
                tuple(symbols),
                emit,
                lambda: Credentials(opened.credentials),
                options=opened.options,
            )
        )

    return VenueMarket(
        venue, open_port, account != SANDBOX, True, opened.clock, opened.is_over,
        is_real_time=False, lock_step=opened.lock_step,
    )  # fmt: skip


def open_for(
    open_sandbox: OpenSandbox,
    venue: str,
    loaded: Sequence[LoadedPlan],
    terms: SessionTerms,
    cash: float,
    speed: float | None,
) -> Opened:
    """Start a sandbox that replays the plans' own prices; None: in lock-step with the session."""
    prices: dict[str, tuple[Series, Instrument]] = {}
    for plan in loaded:
        instrument = plan.request.instrument
        series = plan.series.lower or plan.series
        prices[instrument.symbol] = (replace(series, symbol=instrument.symbol), instrument)
        if plan.further:
            names = ", ".join(plan.further)
            raise ConfigError(f"plan {plan.request.plan_id}: {venue} has no {names}: leave it out")
    start = start_of(loaded, terms)
    return open_sandbox(venue, list(prices.values()), start=start, speed=speed, cash=cash)


def paper_market(venue: str, account: str | None, config: str, live: LiveSettings) -> VenueMarket:
    """Return a venue as a market on whose prices paper fills.

    Raises
    ------
    ConfigError : what the venue needs is not installed, not set, or nobody logged in.
    """
    access = access_to(venue, account, config)
    access.venue.load(access.venue.port)  # names what is not installed, before anything begins
    found = access.credentials()
    if found.missing:
        raise ConfigError(
            f"venue {venue}: set {', '.join(found.missing)} in the environment or in .env"
        )
    if found.needs_login:
        raise ConfigError(f"venue {venue}: nobody is logged in: python run.py login {venue}")

    def open_port(emit: Any, symbols: Sequence[str]) -> Any:
        return access.venue.make_port(
            PortRequest(
                Account(access.account or "paper", venue),
                live,
                tuple(symbols),
                emit,
                access.credentials,
                options=access.options,
            )
        )

    is_real_time = abs(access.now() - time.time_ns()) < _NEAR_NS
    return VenueMarket(venue, open_port, True, False, access.now, is_real_time=is_real_time)


def on_market(asked: SessionRequest, market: VenueMarket) -> SessionRequest:
    """Return a session's request on a market.

    A sandbox's history is final, as a replay's is. A venue's funds leave out the day's charges
    until it is settled, so that they are not held against our books.
    """
    terms = asked.terms
    if market.is_sandbox:
        feed = replace(terms.feed, stale_ns=0, settle_ns=0, patience_ns=0, clock_error_ns=0)
        terms = replace(terms, feed=feed)
    if not market.fills_on_paper:
        terms = replace(terms, broker=replace(terms.broker, balance_tolerance=None))
    return replace(asked, market=market, terms=terms)
