"""Kite in front of the exchange: which endpoint asks what of whom."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from brokers.kite.wire import (
    IST,
    Order,
    encode_message,
    encode_postback,
)
from sandbox.course import BarsEnd, Price, Step
from sandbox.face import Face, Route
from sandbox.faults import OPENING, Fault
from sandbox.kite.contracts import ContractList
from sandbox.kite.crowd import Crowd
from sandbox.kite.desk import Desk
from sandbox.kite.endpoints import (
    LoginEndpoints,
    MarketEndpoints,
    OrderEndpoints,
    PortfolioEndpoints,
    credentials,
    for_user,
)
from sandbox.kite.endpoints.asking import form_of
from sandbox.kite.forms import KINDS
from sandbox.kite.portfolio import Portfolio
from sandbox.kite.quotes import Quotes
from sandbox.kite.replies import KiteFault, error, planned
from sandbox.kite.sessions import Sessions
from sandbox.kite.settings import KiteSettings
from sandbox.kite.square_off import SquareOff
from sandbox.kite.stream import ORDER, Stream
from sandbox.kite.triggers import Triggers
from sandbox.limits import Window
from sandbox.orders import BoxFill, BoxOrder

if TYPE_CHECKING:
    from sandbox.box import Sandbox

_APP_ID = 1
_NS = 1_000_000_000


class KiteFace(Face):
    """Zerodha Kite Connect v3."""

    venue = "kite"
    product = "NRML"

    def __init__(self, box: Sandbox, settings: KiteSettings) -> None:
        self.settings = settings
        self.windows = settings.windows
        self._box = box
        self._exchange = box.exchange
        self.contracts = ContractList(box.course.prices.values())
        users = list(box.account_terms)
        self.sessions = Sessions(settings, users, box.seed, lambda: box.now)
        self.quotes = Quotes(box.exchange, box.course, settings)
        self.desk = Desk(box.exchange, self.contracts, settings, self.new_number, self._note_order)
        self.portfolio = Portfolio(box.exchange, self.contracts, self.desk.fills)
        self.triggers = Triggers(
            self._token, self._place_for_trigger, lambda: box.now, settings.first_number
        )
        self.crowd = Crowd(settings.crowd, box.seed)
        self.stream = Stream(
            self.contracts,
            self.crowd,
            settings,
            box.plan,
            self.quotes.tick,
            lambda: box.exchange.now,
        )
        self._numbers = itertools.count(settings.first_number)
        self._untold: list[tuple[str, Order]] = []
        self._day: dict[str, int] = {}
        self._square_off = SquareOff(box.exchange, settings.square_off_minutes, self.new_number)

    # -- the market --------------------------------------------------------------------------

    def begin(self) -> None:
        """List what trades."""
        self._take_day()

    def _take_day(self) -> None:
        days = {symbol: self._exchange.day(symbol) for symbol in self._box.course.prices}
        if days != self._day:
            self._day = days
            self._exchange.list_contracts(self.contracts.take_day(max(days.values())))

    def order_changed(self, order: BoxOrder) -> None:
        """An order entered a state."""
        self.desk.order_changed(order)

    def filled(self, fill: BoxFill) -> None:
        """A fill was booked."""
        self.desk.fills.append(fill)

    def _note_order(self, user: str, order: Order) -> None:
        self._untold.append((user, order))

    async def publish(self, step: Step) -> None:
        """Send prices, then what they did to orders."""
        self._take_day()
        if isinstance(step, Price):
            self._look_at_triggers(step)
            await self.tick_crowd()
            await self.stream.publish([step.symbol])
        elif isinstance(step, BarsEnd):
            self._square_off.take(step)
            self.stream.drop(self._may_stay)
            await self.stream.publish([symbol for symbol, _ in step.bars])
        await self.flush()

    async def tick_crowd(self) -> None:
        """Let every share of the crowd trade once."""
        if self.settings.crowd:
            await self.stream.publish_crowd()

    async def flush(self) -> None:
        """Send order updates that are due."""
        while self._untold:
            user, order = self._untold.pop(0)
            row = encode_postback(order, user, _APP_ID, self.settings.api_secret)
            await self.stream.tell(user, ORDER, encode_message("order", row))

    async def delivered(self) -> None:
        """Return when every stream has taken what was sent."""
        await self.stream.delivered()

    def _look_at_triggers(self, step: Price) -> None:
        listed = self.contracts.of_symbol(step.symbol)
        self.triggers.take_price({item.row.instrument_token: step.price for item in listed})

    def new_number(self) -> int:
        """Return the number of a new order: the day, and a count."""
        day = datetime.fromtimestamp(self._exchange.now // _NS, IST)
        return int(f"{day:%y%m%d}") * 10**13 + next(self._numbers)

    # -- who ---------------------------------------------------------------------------------

    def login(self, user: str) -> str:
        """Log a user in without the page; return his access token."""
        return self.sessions.login(user).access_token

    def port_options(self, url: str, stream_url: str) -> Mapping[str, str]:
        """Return the settings that lead a port of ours here."""
        return {"api_root": url, "stream_root": stream_url, "clock_url": f"{url}/_box/state"}

    def credentials(self, token: str) -> Mapping[str, str]:
        """Return what a port of ours needs to be logged in."""
        return {
            "api_key": self.settings.api_key,
            "api_secret": self.settings.api_secret,
            "access_token": token,
        }

    def expire_tokens(self) -> None:
        """Let every login end now; streams end with it."""
        self.sessions.end_all()
        self.stream.drop(lambda link: False)

    def close(self) -> None:
        """Cut every stream."""
        self.stream.drop(lambda link: False)

    def _may_stay(self, link: Any) -> bool:
        return self.sessions.user_of(self.settings.api_key, link.token) is not None

    def account_of(self, request: web.Request) -> str:
        """Return whose request it is."""
        key, token = credentials(request)
        return self.sessions.user_of(key, token) or ""

    async def detail_of(self, route: Route, request: web.Request) -> str:
        """Return what kind of order a request places, in our words; "" for any other request."""
        if route.name != "orders.place":
            return ""
        kind = KINDS.get((await form_of(request)).get("order_type", ""))
        return "" if kind is None else kind.name.lower()

    def fault_answer(self, fault: Fault) -> web.Response:
        """Return the error a fault plan asks for."""
        return planned(fault)

    def limit_answer(self, window: Window) -> web.Response:
        """Return the answer to a request above a limit."""
        return error(KiteFault("NetworkException", "Too many requests", 429))

    def summary(self, url: str) -> list[str]:
        """Return how a person connects."""
        names = ", ".join(f"{row.exchange}:{row.tradingsymbol}" for row in self.contracts.rows())
        return [
            f"KiteConnect(api_key={self.settings.api_key!r}, root={url!r})",
            f"login page {url}/connect/login?v=3&api_key={self.settings.api_key}",
            f"stream {url.replace('http', 'ws', 1)}",
            f"trades {names}",
        ]

    # -- routes ------------------------------------------------------------------------------

    def routes(self) -> Sequence[Route]:
        """Return Kite's endpoints."""
        user = for_user(self.account_of)
        groups = (
            LoginEndpoints(self.sessions),
            MarketEndpoints(self.contracts, self.crowd, self.quotes, self.desk.forms.band),
            OrderEndpoints(self.desk, self.triggers),
            PortfolioEndpoints(self.portfolio, self.settings.holdings),
        )
        return [
            Route("GET", "/", "stream", self._open_stream),
            *(route for group in groups for route in group.routes(user)),
            Route("*", "/{path:.*}", "unknown", user(_unknown)),
        ]

    def _token(self, key: str) -> int | None:
        listed = self.contracts.by_key(key)
        return None if listed is None else listed.row.instrument_token

    def _place_for_trigger(self, user: str, form: Mapping[str, str]) -> str:
        return str(self.desk.place(user, "regular", form)[0])

    async def _open_stream(self, request: web.Request) -> web.StreamResponse:
        key, token = request.query.get("api_key", ""), request.query.get("access_token", "")
        fault = self._box.plan.strike(OPENING, "stream", self._exchange.now)
        if fault is not None:
            return planned(fault)
        user = self.sessions.user_of(key, token)
        if user is None:
            return error(KiteFault("TokenException", "Incorrect `api_key` or `access_token`."))
        if len(self.stream.connections) >= self.settings.max_connections:
            return error(KiteFault("NetworkException", "Too many connections", 429))
        return await self.stream.serve(request, user, token)


def lasting_settings() -> KiteSettings:
    """Return settings under which nobody has to log in each morning."""
    return KiteSettings(tokens_end=None)


def served_settings(seed: int | None) -> KiteSettings:
    """Return settings of a server that people start again: its numbers are not those of before.

    A client's record may hold them, and the venue's never come twice. With a seed they do.
    """
    if seed is not None:
        return KiteSettings()
    return KiteSettings(first_number=1 + secrets.randbelow(10**6) * 10**4)


def make_face(box: Sandbox, settings: KiteSettings | None) -> KiteFace:
    """Return Kite's face of a sandbox."""
    return KiteFace(box, settings or KiteSettings())


async def _unknown(request: web.Request, user: str) -> web.StreamResponse:
    raise KiteFault("GeneralException", "Route not found", 404)
