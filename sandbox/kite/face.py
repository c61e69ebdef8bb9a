"""Kite in front of the exchange: which endpoint asks what of whom."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from brokers.kite.wire import (
    IST,
    Order,
    encode_candles,
    encode_gtt,
    encode_instruments,
    encode_login,
    encode_margins,
    encode_message,
    encode_order,
    encode_order_margins,
    encode_positions,
    encode_postback,
    encode_quote,
    encode_trade,
)
from core.orders import OrderKind, Side
from sandbox.course import BarsEnd, Price, Step
from sandbox.face import Face, Handler, Route
from sandbox.faults import OPENING, Fault
from sandbox.kite.contracts import ContractList, Listed
from sandbox.kite.crowd import Crowd
from sandbox.kite.desk import Desk
from sandbox.kite.portfolio import Portfolio
from sandbox.kite.quotes import Quotes
from sandbox.kite.replies import KiteFault, error, planned, success, wrong_input
from sandbox.kite.sessions import EXCHANGES, ORDER_TYPES, PRODUCTS, Sessions
from sandbox.kite.settings import HISTORICAL, OTHER, PLACE, QUOTE, KiteSettings
from sandbox.kite.stream import ORDER, Stream
from sandbox.kite.triggers import Triggers
from sandbox.limits import Window
from sandbox.orders import Author, BoxFill, BoxOrder, OrderTerms

if TYPE_CHECKING:
    from sandbox.box import Sandbox

_APP_ID = 1
_NS = 1_000_000_000
_MINUTE_NS = 60 * _NS
_MOST_QUOTES = {"quote": 500, "ohlc": 1000, "ltp": 1000}

UserHandler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class KiteFace(Face):
    """Zerodha Kite Connect v3."""

    venue = "kite"

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
        self.triggers = Triggers(self._token, self._place_for_trigger, lambda: box.now)
        self.crowd = Crowd(settings.crowd, box.seed)
        self.stream = Stream(
            self.contracts,
            self.crowd,
            settings,
            box.plan,
            self.quotes.tick,
            lambda: box.exchange.now,
        )
        self._numbers = itertools.count(1)
        self._untold: list[tuple[str, Order]] = []
        self._day: dict[str, int] = {}
        self._squared: dict[str, int] = {}

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
            self._square_off(step)
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

    def _square_off(self, step: BarsEnd) -> None:
        """Close intraday positions some minutes before the session does, once a day."""
        for symbol, _ in step.bars:
            due = self._exchange.session_close(symbol)
            due -= self.settings.square_off_minutes * _MINUTE_NS
            day = self._exchange.day(symbol)
            if step.ts < due or self._squared.get(symbol) == day:
                continue
            self._squared[symbol] = day
            for account in self._exchange.accounts.values():
                self._square_off_account(account.name, symbol)

    def _square_off_account(self, name: str, symbol: str) -> None:
        for order in list(self._exchange.working.values()):
            is_his = order.account == name and order.terms.product == "MIS"
            if is_his and self._exchange.contracts[order.terms.contract].symbol == symbol:
                self._exchange.cancel(name, order.number)
        for held in self._exchange.accounts[name].positions():
            is_his = held.product == "MIS"
            if is_his and self._exchange.contracts[held.contract].symbol == symbol:
                side = Side.SELL if held.quantity > 0 else Side.BUY
                terms = OrderTerms(
                    held.contract, side, abs(held.quantity), OrderKind.MARKET, product="MIS"
                )
                self._exchange.place(name, self.new_number(), terms, Author.EXCHANGE)

    def new_number(self) -> int:
        """Return the number of a new order: the day, and a count."""
        day = datetime.fromtimestamp(self._exchange.now // _NS, IST)
        return int(f"{day:%y%m%d}") * 10**13 + next(self._numbers)

    # -- who ---------------------------------------------------------------------------------

    def login(self, user: str | None = None) -> str:
        """Log a user in without the page and return his access token."""
        return self.sessions.login(user or next(iter(self._exchange.accounts))).access_token

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
        key, token = _credentials(request)
        return self.sessions.user_of(key, token) or ""

    def fault_answer(self, fault: Fault) -> web.Response:
        """Return the error a fault plan asks for."""
        return planned(fault)

    def limit_answer(self, window: Window) -> web.Response:
        """Return the answer to a request above a limit."""
        return error(KiteFault("NetworkException", "Too many requests", 429))

    def _for_user(self, handler: UserHandler) -> Handler:
        """Return a handler that knows its user, and answers faults as Kite does."""

        async def handle(request: web.Request) -> web.StreamResponse:
            user = self.account_of(request)
            if not user:
                return error(KiteFault("TokenException", "Incorrect `api_key` or `access_token`."))
            try:
                return await handler(request, user)
            except KiteFault as fault:
                return error(fault)

        return handle

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
        user = self._for_user
        return [
            Route("GET", "/", "stream", self._open_stream),
            Route("GET", "/connect/login", "login.page", self._login_page),
            Route("POST", "/connect/login", "login.enter", self._login_enter),
            Route("POST", "/session/token", "session.token", self._session, OTHER),
            Route("DELETE", "/session/token", "session.end", user(self._session_end), OTHER),
            Route("GET", "/user/profile", "user.profile", user(self._profile), OTHER),
            Route("GET", "/user/margins", "user.margins", user(self._margins), OTHER),
            Route("GET", "/user/margins/{segment}", "user.margins", user(self._margins), OTHER),
            Route("GET", "/instruments", "instruments", user(self._instruments), OTHER),
            Route("GET", "/instruments/{exchange}", "instruments", user(self._instruments), OTHER),
            Route(
                "GET", "/instruments/historical/{token}/{interval}", "historical",
                user(self._historical), HISTORICAL,
            ),
            Route("GET", "/quote", "quote", user(self._quote), QUOTE),
            Route("GET", "/quote/ohlc", "quote.ohlc", user(self._quote), QUOTE),
            Route("GET", "/quote/ltp", "quote.ltp", user(self._quote), QUOTE),
            Route("GET", "/orders", "orders", user(self._orders), OTHER),
            Route("GET", "/orders/{id}", "orders.history", user(self._order_history), OTHER),
            Route("GET", "/orders/{id}/trades", "orders.trades", user(self._trades), OTHER),
            Route("POST", "/orders/{variety}", "orders.place", user(self._place), PLACE),
            Route("PUT", "/orders/{variety}/{id}", "orders.modify", user(self._modify), OTHER),
            Route("DELETE", "/orders/{variety}/{id}", "orders.cancel", user(self._cancel), OTHER),
            Route("GET", "/trades", "trades", user(self._trades), OTHER),
            Route("GET", "/portfolio/positions", "positions", user(self._positions), OTHER),
            Route("GET", "/portfolio/holdings", "holdings", user(self._holdings), OTHER),
            Route("GET", "/gtt/triggers", "gtt", user(self._gtts), OTHER),
            Route("POST", "/gtt/triggers", "gtt.place", user(self._gtt_place), OTHER),
            Route("GET", "/gtt/triggers/{id}", "gtt.get", user(self._gtt), OTHER),
            Route("PUT", "/gtt/triggers/{id}", "gtt.modify", user(self._gtt_modify), OTHER),
            Route("DELETE", "/gtt/triggers/{id}", "gtt.delete", user(self._gtt_delete), OTHER),
            Route("POST", "/margins/orders", "margins", user(self._order_margins), OTHER),
            Route("POST", "/margins/basket", "margins", user(self._basket), OTHER),
            Route("POST", "/charges/orders", "charges", user(self._charges), OTHER),
            Route("GET", "/portfolio/holdings/auctions", "auctions", user(self._holdings), OTHER),
            Route("*", "/{path:.*}", "unknown", user(self._unknown)),
        ]  # fmt: skip

    # -- login -------------------------------------------------------------------------------

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        try:
            page = self.sessions.page(query.get("api_key", ""), query.get("redirect_params", ""))
        except KiteFault as fault:
            return error(fault)
        return web.Response(text=page, content_type="text/html")

    async def _login_enter(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        extra = form.get("redirect_params", "")
        target = self.sessions.enter(
            form.get("user_id", ""), form.get("password", ""), form.get("totp", ""), extra
        )
        if target is None:
            page = self.sessions.page(
                form.get("api_key", ""), extra, "Wrong user, password or TOTP."
            )
            return web.Response(text=page, content_type="text/html", status=403)
        raise web.HTTPFound(target)

    async def _session(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        try:
            reply = self.sessions.exchange(
                form.get("api_key", ""), form.get("request_token", ""), form.get("checksum", "")
            )
        except KiteFault as fault:
            return error(fault)
        return success(encode_login(reply))

    async def _session_end(self, request: web.Request, user: str) -> web.StreamResponse:
        self.sessions.end(request.query.get("access_token", ""))
        return success(True)

    async def _profile(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(
            {
                "user_id": user, "user_name": f"Sandbox {user}", "user_shortname": "Sandbox",
                "email": "", "user_type": "individual", "broker": "ZERODHA",
                "exchanges": EXCHANGES, "products": PRODUCTS, "order_types": ORDER_TYPES,
                "avatar_url": None, "meta": {"demat_consent": "consent"},
            }
        )  # fmt: skip

    # -- the market's data -------------------------------------------------------------------

    async def _instruments(self, request: web.Request, user: str) -> web.StreamResponse:
        exchange = request.match_info.get("exchange")
        crowd = self.crowd.rows if exchange in (None, "NSE") else []
        text = encode_instruments([*self.contracts.rows(exchange), *crowd])
        return web.Response(
            body=gzip.compress(text.encode(), mtime=0), content_type="text/csv",
            headers={"Content-Encoding": "gzip"},
        )  # fmt: skip

    async def _historical(self, request: web.Request, user: str) -> web.StreamResponse:
        token, query = request.match_info["token"], request.query
        listed = self.contracts.by_token(int(token)) if token.isdigit() else None
        if listed is None:
            raise wrong_input("invalid token")
        candles = self.quotes.candles(
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
            listed = self.contracts.by_key(key)
            row = None if listed is None else self._quote_row(listed, sort)
            if row is not None:
                found[key] = row
        return success(found)

    def _quote_row(self, listed: Listed, sort: str) -> dict[str, Any] | None:
        quote = self.quotes.quote(listed, self.desk.forms.band(listed))
        if quote is None:
            return None
        row = encode_quote(quote, is_index=listed.is_index)
        names = {
            "ltp": ("instrument_token", "last_price"),
            "ohlc": ("instrument_token", "last_price", "ohlc"),
        }.get(sort, tuple(row))
        return {name: row[name] for name in names}

    # -- orders ------------------------------------------------------------------------------

    async def _place(self, request: web.Request, user: str) -> web.StreamResponse:
        form = await _form(request)
        numbers = self.desk.place(user, request.match_info["variety"], form)
        ids = [str(number) for number in numbers]
        data: dict[str, Any] = {"order_id": ids[0]}
        if len(ids) > 1:
            data["children"] = [{"order_id": number} for number in ids[1:]]
        return success(data)

    async def _modify(self, request: web.Request, user: str) -> web.StreamResponse:
        number = _order_number(request)
        self.desk.modify(user, number, await _form(request))
        return success({"order_id": str(number)})

    async def _cancel(self, request: web.Request, user: str) -> web.StreamResponse:
        number = _order_number(request)
        self.desk.cancel(user, number)
        return success({"order_id": str(number)})

    async def _orders(self, request: web.Request, user: str) -> web.StreamResponse:
        return success([encode_order(order) for order in self.desk.book(user)])

    async def _order_history(self, request: web.Request, user: str) -> web.StreamResponse:
        number = _order_number(request)
        self.desk.order(user, number)
        return success([encode_order(order) for order in self.desk.history[number]])

    async def _trades(self, request: web.Request, user: str) -> web.StreamResponse:
        number = _order_number(request) if "id" in request.match_info else None
        if number is not None:
            self.desk.order(user, number)
        return success([encode_trade(trade) for trade in self.desk.trades(user, number)])

    async def _unknown(self, request: web.Request, user: str) -> web.StreamResponse:
        raise KiteFault("GeneralException", "Route not found", 404)

    # -- portfolio ---------------------------------------------------------------------------

    async def _positions(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(encode_positions(self.portfolio.positions(user)))

    async def _holdings(self, request: web.Request, user: str) -> web.StreamResponse:
        return success([])

    async def _margins(self, request: web.Request, user: str) -> web.StreamResponse:
        rows = encode_margins(self.portfolio.margins(user))
        segment = request.match_info.get("segment")
        if segment is None:
            return success(rows)
        if segment not in rows:
            raise wrong_input("Invalid `segment`.")
        return success(rows[segment])

    async def _order_margins(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(encode_order_margins(self.portfolio.order_margins(await _rows(request))))

    async def _basket(self, request: web.Request, user: str) -> web.StreamResponse:
        orders = await _rows(request)
        initial, final = self.portfolio.basket(user, orders)
        rows = encode_order_margins(self.portfolio.order_margins(orders))
        return success(
            {"initial": {"total": initial}, "final": {"total": final}, "orders": rows,
             "charges": rows[0]["charges"] if len(rows) == 1 else {}}
        )  # fmt: skip

    async def _charges(self, request: web.Request, user: str) -> web.StreamResponse:
        orders = await _rows(request)
        margins = encode_order_margins(self.portfolio.order_margins(orders))
        named = ("transaction_type", "tradingsymbol", "exchange", "variety", "product",
                 "order_type", "quantity")  # fmt: skip
        return success(
            [
                {name: order.get(name) for name in named}
                | {"price": order.get("average_price", 0), "charges": margin["charges"]}
                for order, margin in zip(orders, margins, strict=True)
            ]
        )

    # -- triggers ----------------------------------------------------------------------------

    async def _gtts(self, request: web.Request, user: str) -> web.StreamResponse:
        return success([encode_gtt(gtt) for gtt in self.triggers.all(user)])

    async def _gtt(self, request: web.Request, user: str) -> web.StreamResponse:
        return success(encode_gtt(self.triggers.get(user, _order_number(request))))

    async def _gtt_place(self, request: web.Request, user: str) -> web.StreamResponse:
        return success({"trigger_id": self.triggers.add(user, await _form(request))})

    async def _gtt_modify(self, request: web.Request, user: str) -> web.StreamResponse:
        number = _order_number(request)
        return success({"trigger_id": self.triggers.change(user, number, await _form(request))})

    async def _gtt_delete(self, request: web.Request, user: str) -> web.StreamResponse:
        return success({"trigger_id": self.triggers.delete(user, _order_number(request))})

    def _token(self, key: str) -> int | None:
        listed = self.contracts.by_key(key)
        return None if listed is None else listed.row.instrument_token

    def _place_for_trigger(self, user: str, form: Mapping[str, str]) -> str:
        return str(self.desk.place(user, "regular", form)[0])

    # -- the stream --------------------------------------------------------------------------

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


def make_face(box: Sandbox, settings: KiteSettings | None) -> KiteFace:
    """Return Kite's face of a sandbox."""
    return KiteFace(box, settings or KiteSettings())


def _credentials(request: web.Request) -> tuple[str, str]:
    """Return key and token of a request's header, or of its query where a stream is opened."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind != "token":
        return request.query.get("api_key", ""), request.query.get("access_token", "")
    key, _, token = value.partition(":")
    return key, token


async def _form(request: web.Request) -> dict[str, str]:
    """Return a form's fields, the last of each."""
    found = await request.post()
    return {name: str(value) for name, value in found.items()}


async def _rows(request: web.Request) -> list[Mapping[str, Any]]:
    """Return a JSON list of objects."""
    try:
        rows = json.loads(await request.text())
    except json.JSONDecodeError:
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise wrong_input("Expected a list of orders.")
    return rows


def _order_number(request: web.Request) -> int:
    text = request.match_info["id"]
    return int(text) if text.isdigit() and len(text) < 20 else -1
