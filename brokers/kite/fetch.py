"""History for files: any span, piece by piece, and what Kite does not serve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from brokers.fetching import FetchRequest, Piece
from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.history import fetch_pages, interval_of, pieces
from brokers.kite.instruments import load_contracts
from brokers.retries import Questions, RetryPolicy
from core.calendar import day_date

_DAY_NS = 86_400 * 1_000_000_000


class KiteHistory:
    """Bars of one symbol's present contract.

    Raises
    ------
    ConfigError : no such symbol or timeframe. VenueError : the venue refuses or is away.
    """

    def __init__(self, request: FetchRequest) -> None:
        config = KiteConfig.of(request.options)
        self._request = request
        self._client = KiteClient(config, lambda: KiteKeys.of(request.credentials()))
        self._interval = interval_of(request.timeframe_ns)
        self._questions = Questions(RetryPolicy(max_retries=5))
        symbols = (request.symbol,)
        contracts = load_contracts(config, symbols, request.now, self._client.get_instruments)
        self._contract = contracts.contract_on(request.symbol, contracts.origin.day)

    @property
    def source(self) -> str:
        """What the bars are of, for the file's provenance."""
        joined = ", continuous" if self._is_joined else ""
        return f"kite {self._contract.describe()} {self._interval}{joined}"

    @property
    def _is_joined(self) -> bool:
        """Whether expired contracts come along: Kite joins them for day bars alone."""
        return self._contract.expires and self._request.timeframe_ns >= _DAY_NS

    def pieces(self) -> list[Piece]:
        """Return the spans to ask for, oldest first."""
        return [
            Piece(first, last)
            for first, last in pieces(self._request.start, self._request.end, self._interval)
        ]

    def ask(self, piece: Piece) -> np.ndarray[Any, Any]:
        """Return a span's completed bars; waits for its turn in the venue's limits."""
        pages = list(self._pages(piece))
        return np.concatenate(pages) if pages else np.zeros(0)

    def _pages(self, piece: Piece) -> Iterator[np.ndarray[Any, Any]]:
        token = int(self._contract.venue_id)
        return fetch_pages(
            lambda interval, first, last: self._questions.ask(
                lambda: self._client.get_historical(
                    token, interval, first, last, continuous=self._is_joined
                )
            ),
            self._request.timeframe_ns,
            piece.start,
            piece.end,
        )

    def notes(self, first: int | None) -> list[str]:
        """Return in plain words what was asked for and is not there.

        Parameters
        ----------
        first : START of the first bar that came, ns UTC; None: none did.
        """
        request = self._request
        if self._is_joined or not self._contract.expires:
            return []
        if first is not None and first - request.start < 7 * _DAY_NS:
            return []
        expiry = self._contract.expiry
        until = "" if expiry is None else f", which expires {day_date(expiry)}"
        return [
            f"Kite serves no minutes of expired contracts: these are of "
            f"{self._contract.venue_symbol}{until}, from its first day on",
            "older: day bars (--timeframe 1d joins expired contracts), the index as a stand-in "
            "(NIFTY50), or files you kept: fetch each month before its contract expires",
        ]


def open_history(request: FetchRequest) -> KiteHistory:
    """Return the history of a symbol at Kite."""
    return KiteHistory(request)
