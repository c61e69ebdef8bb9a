"""Kite's endpoints of a login: the page, sessions, the user's profile."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from brokers.kite.wire import encode_login
from sandbox.face import Route
from sandbox.kite.endpoints.asking import ForUser, form_of
from sandbox.kite.replies import KiteFault, error, success
from sandbox.kite.sessions import EXCHANGES, ORDER_TYPES, PRODUCTS, Sessions
from sandbox.kite.settings import OTHER


class LoginEndpoints:
    """/connect/login, /session, /user/profile."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def routes(self, user: ForUser) -> Sequence[Route]:
        """Return them."""
        return [
            Route("GET", "/connect/login", "login.page", self._login_page),
            Route("POST", "/connect/login", "login.enter", self._login_enter),
            Route("POST", "/session/token", "session.token", self._session, OTHER),
            Route("DELETE", "/session/token", "session.end", user(self._session_end), OTHER),
            Route("GET", "/user/profile", "user.profile", user(self._profile), OTHER),
        ]

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        try:
            page = self._sessions.page(query.get("api_key", ""), query.get("redirect_params", ""))
        except KiteFault as fault:
            return error(fault)
        return web.Response(text=page, content_type="text/html")

    async def _login_enter(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        extra = form.get("redirect_params", "")
        target = self._sessions.enter(
            form.get("user_id", ""), form.get("password", ""), form.get("totp", ""), extra
        )
        if target is None:
            page = self._sessions.page(
                form.get("api_key", ""), extra, "Wrong user, password or TOTP."
            )
            return web.Response(text=page, content_type="text/html", status=403)
        raise web.HTTPFound(target)

    async def _session(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        try:
            reply = self._sessions.exchange(
                form.get("api_key", ""), form.get("request_token", ""), form.get("checksum", "")
            )
        except KiteFault as fault:
            return error(fault)
        return success(encode_login(reply))

    async def _session_end(self, request: web.Request, user: str) -> web.StreamResponse:
        self._sessions.end(request.query.get("access_token", ""))
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
