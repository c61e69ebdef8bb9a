"""What Kite's endpoints share: forms, JSON bodies, ids, and whose request it is."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from sandbox.face import Handler
from sandbox.kite.replies import KiteFault, error, wrong_input

UserHandler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]
ForUser = Callable[[UserHandler], Handler]
"""Makes a handler of one that is told its user."""


def for_user(account_of: Callable[[web.Request], str]) -> ForUser:
    """Return what lets logged-in users alone pass, and answers faults as Kite does."""

    def guard(handler: UserHandler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            user = account_of(request)
            if not user:
                return error(KiteFault("TokenException", "Incorrect `api_key` or `access_token`."))
            try:
                return await handler(request, user)
            except KiteFault as fault:
                return error(fault)

        return handle

    return guard


def credentials(request: web.Request) -> tuple[str, str]:
    """Return key and token of a request's header, or of its query where a stream is opened."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind != "token":
        return request.query.get("api_key", ""), request.query.get("access_token", "")
    key, _, token = value.partition(":")
    return key, token


async def form_of(request: web.Request) -> dict[str, str]:
    """Return a form's fields, the last of each name."""
    found = await request.post()
    return {name: str(value) for name, value in found.items()}


async def rows_of(request: web.Request) -> list[Mapping[str, Any]]:
    """Return a JSON list of objects.

    Raises
    ------
    KiteFault : it is none, or empty.
    """
    try:
        rows = json.loads(await request.read())
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise wrong_input("Expected a list of orders.")
    return rows


def number_of(request: web.Request) -> int:
    """Return the id in a path, -1 for what is none."""
    text = request.match_info["id"]
    return int(text) if text.isdigit() and len(text) < 20 else -1
