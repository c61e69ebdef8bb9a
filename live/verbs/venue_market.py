"""From what a command line says of a venue to the market its session is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from backtests.loading import LoadedPlan
from backtests.verbs.outcome import command_line
from brokers.access import Access
from brokers.registry import Credentials, PortRequest, get_venue
from core.bars import Series
from core.config import Account, LiveSettings
from core.errors import ConfigError
from core.instruments import Instrument
from live.build import SessionTerms, start_of
from live.market import VenueMarket
from live.session import SessionRequest
from live.venue_money import ask_account

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
    opened: Opened,
    venue: str,
    account: str | None,
    live: LiveSettings,
    options: Mapping[str, Any],
) -> VenueMarket:
    """Return a sandbox as a market; orders go there on its own account, else paper fills them.

    Parameters
    ----------
    options : of the venue's own table in the settings; the sandbox's addresses go before them.
    """
    entry = get_venue(venue)

    def open_port(emit: Any, symbols: Sequence[str]) -> Any:
        return entry.make_port(
            PortRequest(
                Account(opened.account, venue),
                live,
                tuple(symbols),
                emit,
                lambda: Credentials(opened.credentials),
                options={**options, **opened.options},
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


def venue_market(access: Access, live: LiveSettings, *, fills_on_paper: bool) -> VenueMarket:
    """Return a venue as a market, whose orders go there or are filled on paper.

    Raises
    ------
    ConfigError : what the venue needs is not installed, not set, or nobody logged in.
    """
    venue = access.venue
    venue.load(venue.port)  # names what is not installed, before anything begins
    found = access.credentials()
    if found.missing:
        raise ConfigError(
            f"venue {venue.name}: set {', '.join(found.missing)} in the environment or in .env"
        )
    if found.needs_login:
        raise ConfigError(f"venue {venue.name}: nobody is logged in: {_login(access)}")

    def open_port(emit: Any, symbols: Sequence[str]) -> Any:
        return venue.make_port(
            PortRequest(
                access.entry or Account("paper", venue.name),
                live,
                tuple(symbols),
                emit,
                access.credentials,
                access.keep,
                access.options,
            )
        )

    is_real_time = abs(access.now() - time.time_ns()) < _NEAR_NS
    return VenueMarket(
        venue.name, open_port, fills_on_paper, False, access.now, is_real_time=is_real_time
    )


def check_venue(access: Access) -> list[str]:
    """Return what is worth knowing before orders go to a venue; nothing is placed.

    Raises
    ------
    ConfigError : something that trading needs is missing; names all of it.
    """
    if not access.venue.examine:
        return []
    findings = access.venue.load(access.venue.examine)(access.examined())
    grave = [item for item in findings if item.is_grave]
    if grave:
        lines = [f"{item.name}: {item.text}: {item.remedy}" for item in grave]
        raise ConfigError(
            f"venue {access.venue.name} is not ready, nothing was started\n" + "\n".join(lines)
        )
    return [f"{item.name}: {item.text}: {item.remedy}" for item in findings if item.remedy]


def with_venue_cash(
    asked: SessionRequest, market: VenueMarket, access: Access
) -> tuple[SessionRequest, str]:
    """Return the request with the money that is at the venue, and a line that says so.

    Cash in the account's settings is the most that is made use of.
    """
    symbols = [plan.request.instrument.symbol for plan in asked.loaded]
    money = ask_account(market, symbols, access.account).balance
    most = None if access.entry is None else access.entry.cash
    cash = money if most is None else min(most, money)
    currency = asked.account.currency
    if not cash > 0.0:
        raise ConfigError(
            f"account {access.account}: the venue tells {money:,.2f} {currency}: nothing to trade"
        )
    of = f" of {money:,.2f}" if cash < money else ""
    text = f"cash {cash:,.2f}{of} {currency}, as {access.venue.title} tells"
    return replace(asked, account=replace(asked.account, cash=cash)), text


def _login(access: Access) -> str:
    own = ["--account", access.account] if access.account else []
    return command_line(["login", access.venue.name, *own])


def on_market(asked: SessionRequest, market: VenueMarket) -> SessionRequest:
    """Return a session's request on a market.

    A sandbox's history is final, as a replay's is. A venue's funds leave out the day's charges
    until it is settled, so that they are not held against our books.
    """
    terms = asked.terms
    if market.is_sandbox:
        # By the clock a price may pass while a subscription is on its way.
        error = 0 if market.lock_step else terms.feed.clock_error_ns
        feed = replace(terms.feed, stale_ns=0, settle_ns=0, patience_ns=0, clock_error_ns=error)
        terms = replace(terms, feed=feed)
    if not market.fills_on_paper:
        terms = replace(terms, broker=replace(terms.broker, balance_tolerance=None))
    return replace(asked, market=market, terms=terms)
