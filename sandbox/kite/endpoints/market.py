"""Kite's endpoints of the market: list of contracts, candles, quotes."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from brokers.kite.wire import encode_candles, encode_instruments, encode_quote
from sandbox.face import Route
from sandbox.kite.contracts import ContractList, Listed
from sandbox.kite.crowd import Crowd
from sandbox.kite.endpoints.asking import ForUser
from sandbox.kite.quotes import Quotes
from sandbox.kite.replies import success, wrong_input
from sandbox.kite.settings import HISTORICAL, OTHER, QUOTE

_MOST_QUOTES = {"quote": 500, "ohlc": 1000, "ltp": 1000}


class MarketEndpoints:
    """/instruments, /instruments/historical, /quote.

    Parameters
    ----------
    band : returns the lowest and highest price of a contract's day.
    """

    def __init__(
        self,
        contracts: ContractList,
        crowd: Crowd,
        quotes: Quotes,
        band: Callable[[Listed], tuple[float, float]],
    ) -> None:
        self._contracts = contracts
        self._crowd = crowd
        self._quotes = quotes
        self._band = band

    def routes(self, user: ForUser) -> Sequence[Route]:
        """Return them."""
        return [
            Route("GET", "/instruments", "instruments", user(self._instruments), OTHER),
            Route("GET", "/instruments/{exchange}", "instruments", user(self._instruments), OTHER),
            Route(
                "GET", "/instruments/historical/{token}/{interval}", "historical",
                user(self._historical), HISTORICAL,
            ),
            Route("GET", "/quote", "quote", user(self._quote), QUOTE),
            Route("GET", "/quote/ohlc", "quote.ohlc", user(self._quote), QUOTE),
            Route("GET", "/quote/ltp", "quote.ltp", user(self._quote), QUOTE),
        ]  # fmt: skip

    async def _instruments(self, request: web.Request, user: str) -> web.StreamResponse:
        exchange = request.match_info.get("exchange")
        crowd = self._crowd.rows if exchange in (None, "NSE") else []
        text = encode_instruments([*self._contracts.rows(exchange), *crowd])
        return web.Response(
            body=gzip.compress(text.encode(), mtime=0), content_type="text/csv",
            headers={"Content-Encoding": "gzip"},
        )  # fmt: skip

    async def _historical(self, request: web.Request, user: str) -> web.StreamResponse:
        token, query = request.match_info["token"], request.query
        listed = self._contracts.by_token(int(token)) if token.isdigit() else None
        if listed is None:
            raise wrong_input("invalid token")
        candles = self._quotes.candles(
            listed, request.match_info["interval"], query.get("from", ""), query.get("to", ""),
            query.get("continuous", "0") in ("1", "true"),
        )  # fmt: skip
        with_oi = query.get("oi", "0") in ("1", "true")
        return success(encode_candles(candles, with_oi=with_oi))

    async def _quote(self, request: web.Request, user: str) -> web.StreamResponse:
        sort = request.path.rsplit("/", 1)[-1]
        asked = request.query.getall("i", [])
        if not asked or len(asked) > _MOST_QUOTES[sort]:
            raise wrong_input(f"Give 1 to {_MOST_QUOTES[sort]} instruments as `i`.")
        found = {}
        for key in asked:
            listed = self._contracts.by_key(key)
            row = None if listed is None else self._quote_row(listed, sort)
            if row is not None:
                found[key] = row
        return success(found)

    def _quote_row(self, listed: Listed, sort: str) -> dict[str, Any] | None:
        quote = self._quotes.quote(listed, self._band(listed))
        if quote is None:
            return None
        row = encode_quote(quote, is_index=listed.is_index)
        names = {
            "ltp": ("instrument_token", "last_price"),
            "ohlc": ("instrument_token", "last_price", "ohlc"),
        }.get(sort, tuple(row))
        return {name: row[name] for name in names}
