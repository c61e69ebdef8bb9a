"""The sandbox as one session of this program opens it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from kiteconnect import KiteConnect

from core.bars import Series
from core.errors import ConfigError
from core.instruments import get_instrument
from sandbox.for_session import open_for_session
from tests.sandbox.market import CALM, MINUTE, OPEN, minutes

ROOT = Path(__file__).resolve().parents[2]


def opened(speed=None, venue="kite", symbol="NIFTY-FUT"):
    prices = [(Series(symbol, MINUTE, minutes([CALM] * 2)), get_instrument(symbol))]
    return open_for_session(venue, prices, start=OPEN - 1, speed=speed, cash=250_000.0)


def test_what_it_hands_over_leads_a_client_there_logged_in():
    box = opened()

    kite = KiteConnect(box.credentials["api_key"], root=box.options["api_root"])
    kite.set_access_token(box.credentials["access_token"])
    net = kite.margins("equity")["net"]
    clock = requests.get(box.options["clock_url"], timeout=10).json()["now"]
    box.close()

    assert net == 250_000.0
    assert box.credentials["access_token"] not in repr(box)
    assert clock == box.clock() == OPEN - 1
    assert box.lock_step == box.options["api_root"]
    assert (box.is_over(), box.ticks) == (False, "path")


def test_by_the_clock_it_ends_by_itself():
    box = opened(speed=1e6)

    assert box.box.wait(20)
    assert (box.is_over(), box.lock_step) == (True, "")
    box.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [({"venue": "kit"}, "did you mean 'kite'"), ({"symbol": "XAUUSD"}, "does not trade XAUUSD")],
)
def test_what_does_not_fit_is_one_clear_error(given, words):
    with pytest.raises(ConfigError, match=words):
        opened(**given)


def test_without_the_server_library_it_says_which_extra_to_install():
    program = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "import run\n"
        "sys.exit(run.main(['sandbox', 'kite']))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2
    assert done.stderr == "error: the sandbox needs aiohttp: python -m pip install '.[sandbox]'\n"
