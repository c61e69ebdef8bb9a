"""The time of a sandbox's market, as a session is told it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from brokers.access import access_to
from brokers.kite.clock import market_clock
from brokers.kite.config import KiteConfig
from core.errors import BrokerError


@pytest.fixture
def box():
    """A server that tells a time until it is told to be silent; it counts what it is asked."""
    silent, asked = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if not silent.is_set():
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"now": 1725421500000000000}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/_box/state", silent, asked
    server.shutdown()
    server.server_close()


def test_time_stands_still_while_a_sandbox_does_not_tell_it(box):
    url, silent, asked = box
    clock = market_clock(KiteConfig(clock_url=url))
    began = clock()
    silent.set()

    while len(asked) < 2:
        assert clock() == began

    assert clock() == began
    assert len(asked) == 2  # and is left alone for a while


def test_a_sandbox_that_never_told_its_time_is_named():
    with pytest.raises(BrokerError, match="is it running"):
        market_clock(KiteConfig(clock_url="http://127.0.0.1:9/_box/state"))()


def test_all_who_ask_a_venues_access_for_the_time_ask_one_clock(box, tmp_path):
    url, silent, _ = box
    settings = tmp_path / "tola.toml"
    settings.write_text(f'[venues.kite]\nclock_url = "{url}"\n')
    access = access_to("kite", None, str(settings), tmp_path)
    began = access.now()
    silent.set()

    assert access.now() == began
