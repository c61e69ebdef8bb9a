"""A Kite sandbox, a logged-in SDK, a ticker."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from sandbox.box import Sandbox
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS
from tests.sandbox.kite.client import Ticker, connect
from tests.sandbox.market import CALM, day

UNLIMITED = dict.fromkeys(WINDOWS, ())


@pytest.fixture
def start():
    """Return a function that starts a sandbox; without limits on requests unless told."""
    with ExitStack() as stack:

        def begin(prices=None, *, limited=False, settings=None, **given):
            settings = dict(settings or {})
            if not limited:
                settings.setdefault("windows", UNLIMITED)
            prices = day([CALM] * 5) if prices is None else prices
            box = Sandbox("kite", prices, settings=KiteSettings(**settings), **given)
            return stack.enter_context(box)

        yield begin


@pytest.fixture
def box(start):
    """A sandbox with five calm minutes to come."""
    return start()


@pytest.fixture
def kite(box):
    """The SDK, logged in."""
    return connect(box)


@pytest.fixture
def ticker():
    """Return a function that opens a ticker."""
    opened = []

    def begin(box, kite, tokens=(), mode="full"):
        found = Ticker(box, kite.access_token, tokens, mode)
        opened.append(found)
        return found.ready(box)

    yield begin
    for item in opened:
        item.close()


@pytest.fixture
def token(kite):
    """The front future's token."""
    return next(row["instrument_token"] for row in kite.instruments("NFO"))
