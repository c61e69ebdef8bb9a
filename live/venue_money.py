"""What a venue says an account is worth, asked before a session of it begins."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence

from brokers.errors import AuthError, Disconnected
from core.errors import BrokerError
from core.events import AccountUpdate, Event, Link, LinkState, Snapshot
from live.market import VenueMarket

WAIT_SECS = 30.0
"""Longest wait for a connection and its answer."""
_TRIES = 2
"""Connections that may fail, one after the other, before it is given up."""
_ENDS = {LinkState.LOGIN_NEEDED: AuthError, LinkState.GIVEN_UP: Disconnected}


def ask_account(
    market: VenueMarket, symbols: Sequence[str], account: str, wait_secs: float = WAIT_SECS
) -> AccountUpdate:
    """Return the account as its venue has it; a connection is opened for it and closed again.

    Parameters
    ----------
    symbols : what will be traded. account : its name, for what goes wrong.

    Raises
    ------
    BrokerError : there is no login, no connection, or no answer in time.
    """
    heard: queue.Queue[Event] = queue.Queue()
    port = market.open_port(heard.put, symbols)
    until = time.monotonic() + wait_secs
    last, failed = "no answer", 0
    try:
        port.connect()
        while (left := until - time.monotonic()) > 0.0:
            try:
                event = heard.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, Link):
                last = event.reason or last
                if event.state in _ENDS:
                    raise _ENDS[event.state](last, venue=market.venue)
                failed += event.state is LinkState.RETRYING
                if failed == _TRIES:
                    break
                if event.state is LinkState.CONNECTED:
                    port.request_snapshot(1, market.clock())
            elif isinstance(event, Snapshot):
                if event.account is not None:
                    return event.account
                last = event.error or last
                break
    finally:
        port.disconnect()
    raise BrokerError(f"account {account}: {market.venue} does not tell its money: {last}")
