"""Sessions through the genuine Kite SDK against the sandbox, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backtests.resolve import resolve
from core.ledger import Trade
from live.build import SessionTerms
from live.journal import open_journal
from live.proof import Verified, verify
from live.recovery import starts_of
from live.session import Session, SessionRequest, SessionResult
from live.verbs.venue_market import SANDBOX, on_market, open_for, sandbox_market
from sandbox.for_session import open_for_session
from tests.live.sessions import request_of

VENUE = "kite"


@dataclass
class Proved:
    """A session that ran to the end of its prices, and what proves it."""

    result: SessionResult
    proof: Verified

    @property
    def trades(self) -> list[dict[str, Any]]:
        """Its trades as rows."""
        return rows_of(self.result.built.broker.ledger.trades)

    @property
    def proved_trades(self) -> list[dict[str, Any]]:
        """The trades of the backtest over what it recorded."""
        return rows_of(self.proof.made)


def rows_of(trades: Sequence[Trade]) -> list[dict[str, Any]]:
    """Return trades as rows, each field of them."""
    return [trade.row() for trade in trades]


@contextmanager
def at_sandbox(
    request: SessionRequest, strategy: str, flags: Any, *, orders: bool
) -> Iterator[SessionRequest]:
    """Give a request on a sandbox in lock-step that replays its prices.

    orders : they go through the SDK too; else paper fills them.
    """
    live = resolve([strategy], flags, "tola.toml").live
    opened = open_for(
        open_for_session, VENUE, request.loaded, request.terms, request.account.cash, None
    )
    try:
        market = sandbox_market(opened, VENUE, SANDBOX if orders else None, live, {})
        yield on_market(request, market)
    finally:
        opened.close()


def run_proved(request: SessionRequest) -> Proved:
    """Run a session to its end and prove it."""
    result = Session(request).run()
    if result.failure is not None:
        raise result.failure
    journal = open_journal(str(request.folder.journal), request.folder.name, read_only=True)
    try:
        chain = starts_of(journal.sessions(), result.facts.session_id)
        return Proved(result, verify(journal, chain, request.account, request.flats, None))
    finally:
        journal.close()


def run_modes(strategy: str, flags: Any, folder: Path, terms: SessionTerms) -> dict[str, Proved]:
    """Run the same plan in each way that knows a stream's prices.

    `replayed` is paper over the same prices in this process, each of them a trade, as a stream
    tells it.
    """
    discrete = replace(terms, discrete=True)
    made = {"replayed": run_proved(request_of(strategy, flags, folder / "replayed", "a", discrete))}
    for name, orders in (("paper", False), ("orders", True)):
        request = request_of(strategy, flags, folder / name, "a", terms)
        with at_sandbox(request, strategy, flags, orders=orders) as there:
            made[f"{name} through the SDK"] = run_proved(there)
    return made
